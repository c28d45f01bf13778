/** From a refusal of the API server, or its silence, to one clear sentence with the next step. */
import { type FedbatchError, isFedbatchError, StageError, UsageError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/core/system-errors.js';

/** A failed request as far as it is understood. */
interface ApiFailure {
  /** HTTP status; undefined where no answer came. */
  readonly code: number | undefined;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** Codes of a server that may do better the next time. */
const PASSING: readonly number[] = [429, 500, 502, 503, 504];

/** Codes of Node for a server that is not there, but may be the next time. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection (ECONNREFUSED)',
  EHOSTUNREACH: 'cannot be reached from here (EHOSTUNREACH)',
  ENETUNREACH: 'cannot be reached from here (ENETUNREACH)',
  EAI_AGAIN: 'cannot be found by its name (EAI_AGAIN)',
};
/** And for a connection that came to nothing. */
const DROPPED: readonly string[] = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE'];

const HUNG_UP = /socket hang up|premature close/i;
/** Of a message that is no Kubernetes Status: more tells nobody more. */
const MOST_CHARACTERS = 300;

/** What is wrong with the kubeconfig, as the codes of Node and OpenSSL tell it. */
const MISCONFIGURED: readonly (readonly [RegExp, string])[] = [
  [/^ENOTFOUND$/, 'has a name that is not known here: check the server of the kubeconfig, and the VPN'],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/,
    'shows a certificate that is not trusted here: name its certificate-authority in the kubeconfig, or in NODE_EXTRA_CA_CERTS',
  ],
  [
    /^CERT_HAS_EXPIRED$/,
    'shows a certificate that has expired: have it renewed, or see to the clock of this machine',
  ],
  [
    /ALTNAME_INVALID/,
    'shows a certificate for another name: check the server of the kubeconfig, or set its tls-server-name',
  ],
  [
    /WRONG_VERSION_NUMBER|^EPROTO$/,
    'does not speak TLS: does its address in the kubeconfig begin with http://?',
  ],
  [/ALERT/, 'does not take the certificate of the kubeconfig: log in to the cluster again'],
  [/^ERR_OSSL/, 'cannot be asked with the certificate and the key of the kubeconfig: they are damaged'],
];

/**
 * Who says no with 403, by its words, and what helps. Authorisation speaks of the user; what admits requests speaks of what
 * they hold, and of the namespace.
 */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [
    /User ".*" cannot impersonate /,
    'Ask its administrator for the right to impersonate, or take as, as-uid and as-groups out of the kubeconfig.',
  ],
  [/User ".*" cannot /, 'Ask its administrator for the Role in k8s/0-rbac.yaml.'],
  [
    /namespace \S+ because it is being terminated/,
    'Choose another --namespace, or make it again once kubectl get namespaces lists it no longer.',
  ],
];
const BY_ADMISSION =
  'A rule of the cluster says so, not a missing right: ask its administrator, or ask for something else.';
const QUOTA = /exceeded quota/;

/** Codes that a proxy gives in place of a server that is not there. */
const BY_PROXIES: readonly number[] = [502, 503, 504];

/** What client-node throws has `code`, `body` and `headers`; what its fetch throws has Node's code. */
export function readFailure(error: unknown): ApiFailure {
  const { code, statusCode, body, headers, message } = error as {
    readonly code?: unknown;
    readonly statusCode?: unknown;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    readonly message?: string;
  };
  const status = typeof code === 'number' ? code : typeof statusCode === 'number' ? statusCode : undefined;
  const retryAfter = Number(headers?.['retry-after'] ?? Number.NaN);
  return {
    code: status,
    message: messageOf(body) ?? oneLine(status === undefined ? (message ?? String(error)) : answerOf(body)),
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  };
}

/** Whether the same request may be answered the next time. */
export function isPassing(error: unknown): boolean {
  const { code, message } = readFailure(error);
  if (code !== undefined) return PASSING.includes(code);
  return (
    isUnreachable(error) ||
    DROPPED.includes(errorCode(error) ?? '') ||
    HUNG_UP.test(message) ||
    /no answer within/i.test(message)
  );
}

/** Whether an API server has answered, if only to refuse. */
export function hasAnswered(error: unknown): boolean {
  const { code } = readFailure(error);
  return code !== undefined && !BY_PROXIES.includes(code);
}

/** Whether a failure that was explained is a refusal which is the same for all that the run makes. */
export function isForbidden({ cause }: Error): boolean {
  return cause !== undefined && readFailure(cause).code === 403;
}

/** Whether nothing was there that could have answered. */
export function isUnreachable(error: unknown): boolean {
  return (errorCode(error) ?? '') in UNREACHABLE;
}

/** What an API server does that does not answer as it should: the rest of a sentence. */
export function describeTrouble(error: unknown): string {
  const { code, message } = readFailure(error);
  if (code === 429) return 'is busy (429)';
  if (code !== undefined) return `answers ${code} (${message})`;
  const how = HUNG_UP.test(message) ? 'breaks the connection off' : 'is slow to answer';
  return UNREACHABLE[errorCode(error) ?? ''] ?? `${how} (${message})`;
}

/** What the user is told; undefined for what is no failure of a request. */
export function explainFailure(error: unknown, server: string): FedbatchError | undefined {
  if (isFedbatchError(error)) return error;
  const { code, message } = readFailure(error);
  const name = errorCode(error) ?? '';
  if (code === undefined && name === '' && !isPassing(error)) return undefined;
  const cause = { cause: error };
  const text = message.replace(/\.$/, '');
  switch (code) {
    case undefined: {
      const [, wrong] = MISCONFIGURED.find(([pattern]) => pattern.test(name)) ?? [];
      if (wrong !== undefined) return new UsageError(`The API server ${server} ${wrong} (${text}).`, cause);
      const how = UNREACHABLE[name] ?? `cannot be reached: ${text}`;
      return new StageError(
        'k8s',
        `the API server ${server} ${how}. The same command resumes once it answers.`,
        cause,
      );
    }
    case 401:
      return new UsageError(
        `The API server ${server} does not accept your credentials: log in to the cluster again.`,
        cause,
      );
    case 403: {
      if (QUOTA.test(message))
        return new StageError('k8s', `the cluster refuses it: ${text}. ${makeRoom(message)}`, cause);
      const [, next = BY_ADMISSION] = FORBIDDEN.find(([words]) => words.test(message)) ?? [];
      return new UsageError(`The cluster refuses it: ${text}. ${next}`, cause);
    }
    case 404: {
      const [, namespace] = /^namespaces "([^"]+)" not found/.exec(message) ?? [];
      if (namespace === undefined)
        return new UsageError(
          `The cluster does not have it: ${text}. Check --namespace and --context.`,
          cause,
        );
      return new UsageError(
        `The cluster has no namespace ${namespace}: make it with kubectl create namespace ${namespace}, or choose another ` +
          'with --namespace or --context.',
        cause,
      );
    }
    case 400:
      if (/HTTP request to an HTTPS server/.test(message))
        return new UsageError(
          `The API server ${server} speaks TLS: write https:// in the kubeconfig.`,
          cause,
        );
      return new UsageError(`The cluster does not accept the request: ${text}.`, cause);
    case 422:
      return new UsageError(`The cluster does not accept the manifest: ${text}.`, cause);
    default:
      return new StageError(
        'k8s',
        `the API server ${server} answers ${code}: ${text}.${PASSING.includes(code) ? ' The same command resumes once it answers as it should.' : ''}`,
        cause,
      );
  }
}

/** What helps where a quota is used up. */
const makeRoom = (refusal: string): string =>
  `Make room (npx fedbatch k8s status lists the Jobs of all runs, npx fedbatch k8s delete --run removes those of one)${
    /jobs\.batch/.test(refusal) ? '' : ', ask for less'
  }, or have the quota raised; the same command resumes then.`;

/** What an answer says that is no Status: that of a proxy, most often. */
function answerOf(body: unknown): string {
  const text = typeof body === 'string' ? body.trim() : '';
  if (text.startsWith('<')) return 'a web page';
  return text === '' ? 'without a reason' : text;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, MOST_CHARACTERS);

/** The message of a Status, which comes as text or as an object. */
function messageOf(body: unknown): string | undefined {
  const status = typeof body === 'string' ? parse(body) : body;
  const message = (status as { readonly message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** From a refusal of the API server, or its silence, to one clear sentence with the next step. */
import { type FedbatchError, isFedbatchError, StageError, UsageError } from '../../lib/federation/errors.js';
import { errorCode } from '../../lib/formats/atomic-file.js';

/** A failed request as far as it is understood. */
export interface ApiFailure {
  /** HTTP status; undefined where no answer came. */
  readonly code: number | undefined;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** Codes of a server that may do better the next time. */
const PASSING: readonly number[] = [429, 500, 502, 503, 504];

/** Codes of Node for a connection that came to nothing, but may the next time. */
const DROPPED: readonly string[] = [
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
];

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
    message: messageOf(body) ?? message ?? String(error),
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  };
}

/** Whether the same request may be answered the next time. */
export function isPassing(error: unknown): boolean {
  const { code, message } = readFailure(error);
  if (code !== undefined) return PASSING.includes(code);
  return (
    DROPPED.includes(errorCode(error) ?? '') ||
    /socket hang up|premature close|no answer within/i.test(message)
  );
}

/** What the user is told. */
export function explainFailure(error: unknown, server: string): FedbatchError {
  if (isFedbatchError(error)) return error;
  const { code, message } = readFailure(error);
  const cause = { cause: error };
  const text = message.replace(/\.$/, '');
  switch (code) {
    case undefined:
      return new StageError(
        'k8s',
        `the API server ${server} cannot be reached: ${text}. The same command goes on once it can.`,
        cause,
      );
    case 401:
      return new UsageError(
        `The API server ${server} does not accept your credentials: log in to the cluster again.`,
        cause,
      );
    case 403:
      return new UsageError(
        `The cluster refuses it: ${text}. Ask its administrator for the Role in k8s/0-rbac.yaml.`,
        cause,
      );
    case 404:
      return new UsageError(`The cluster does not have it: ${text}. Check --namespace and --context.`, cause);
    case 422:
    case 400:
      return new UsageError(`The cluster does not accept the manifest: ${text}.`, cause);
    default:
      return new StageError('k8s', `the API server ${server} answers ${code}: ${text}.`, cause);
  }
}

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

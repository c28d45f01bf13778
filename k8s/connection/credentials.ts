/** What a request proves its sender with: headers, and the certificate of its connection. */
import { readFileSync } from 'node:fs';
import { UsageError } from '../../lib/core/errors.js';
import type { KubeAccess } from './access.js';
import { askPlugin, type PluginCredential } from './exec-plugin.js';

/** The credentials of a request. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** PEM. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
}

/** Where they come from. */
interface CredentialSource {
  /** @throws {UsageError} when there are none to be had */
  current(): Promise<Credentials>;
  /** The server did not take them: whether the next ones may be others. */
  renew(): boolean;
}

/** A token's file is read again after so long: what stands there is renewed before it expires. */
const REREAD_MS = 60_000;

/** The credentials of an access. */
export function createCredentials({ cluster, user, source }: KubeAccess): CredentialSource {
  const { impersonation, token, tokenFile, basic, exec, oidc, cert, key } = user;
  const bearer = (text: string) => ({ ...impersonation, Authorization: `Bearer ${text}` });
  const plain = (headers: Credentials['headers']): Credentials => ({ headers, cert, key });
  if (exec !== undefined) {
    let given: Promise<PluginCredential> | undefined;
    return {
      async current() {
        if (given !== undefined && (await given).validUntilMs <= Date.now()) given = undefined;
        given ??= askPlugin(exec, { cluster, source });
        const { token: own, ...pair } = await given;
        const headers = own === undefined ? impersonation : bearer(own);
        return pair.cert === undefined ? plain(headers) : { headers, ...pair };
      },
      renew() {
        given = undefined;
        return true;
      },
    };
  }
  if (tokenFile !== undefined) {
    let read = { text: '', at: Number.NEGATIVE_INFINITY };
    return {
      async current() {
        if (Date.now() - read.at > REREAD_MS) read = { text: readToken(tokenFile, source), at: Date.now() };
        return plain(bearer(read.text));
      },
      renew() {
        const { text } = read;
        read = { text: readToken(tokenFile, source), at: Date.now() };
        return read.text !== text;
      },
    };
  }
  if (oidc !== undefined) return oidcCredentials(oidc, { bearer, plain });
  const headers =
    token !== undefined
      ? bearer(token)
      : basic === undefined
        ? impersonation
        : withBasic(basic, impersonation);
  return { current: async () => plain(headers), renew: () => false };
}

function readToken(path: string, source: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (cause) {
    throw new UsageError(`The tokenFile of ${source} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  throw new UsageError(`The tokenFile ${path} of ${source} is empty.`);
}

const withBasic = (
  { username, password }: { readonly username: string; readonly password: string },
  headers: Credentials['headers'],
) => ({ ...headers, Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` });

/** The client library knows how tokens of OpenID Connect are renewed. */
function oidcCredentials(
  config: Readonly<Record<string, string>>,
  {
    bearer,
    plain,
  }: {
    readonly bearer: (token: string) => Credentials['headers'];
    readonly plain: (headers: Credentials['headers']) => Credentials;
  },
): CredentialSource {
  const user = { name: 'user', authProvider: { name: 'oidc', config } };
  return {
    async current() {
      const { KubeConfig } = await import('@kubernetes/client-node');
      const library = new KubeConfig();
      library.loadFromClusterAndUser(
        { name: 'cluster', server: 'https://localhost', skipTLSVerify: true },
        user,
      );
      const options: { headers?: Record<string, string> } = {};
      try {
        await library.applyToHTTPSOptions(options as never);
      } catch (cause) {
        throw new UsageError(
          `The identity provider ${config['idp-issuer-url'] ?? ''} gives no new token: ${(cause as Error).message}. Log in to the cluster again.`,
          { cause },
        );
      }
      return plain(bearer((options.headers?.Authorization ?? '').replace(/^Bearer /, '')));
    },
    renew: () => false,
  };
}

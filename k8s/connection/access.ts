/** Where a context of a kubeconfig leads: the cluster and how its user logs in, every field obeyed or refused by name. */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { UsageError } from '../../lib/core/errors.js';
import {
  type ClusterEntry,
  clusterNamed,
  contextNamed,
  type ExecPlugin,
  type Kubeconfig,
  type UserEntry,
  userNamed,
} from './kubeconfig.js';

/** The cluster that a context leads to. */
export interface ClusterAccess {
  /** Its address, without a slash at the end. */
  readonly server: string;
  /** PEM. */
  readonly ca?: Buffer | undefined;
  readonly skipsVerify: boolean;
  readonly tlsServerName?: string | undefined;
  readonly proxyUrl?: string | undefined;
  /** What a plugin is told of the cluster. */
  readonly pluginConfig?: unknown;
}

/** How a user proves who they are, and as whom they act. */
interface UserAccess {
  /** PEM. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  readonly token?: string | undefined;
  /** Read again from time to time: tokens in files are renewed. */
  readonly tokenFile?: string | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly exec?: ExecPlugin | undefined;
  readonly oidc?: Readonly<Record<string, string>> | undefined;
  /** Headers of impersonation. */
  readonly impersonation: Readonly<Record<string, string | string[]>>;
}

/** Where a context leads. */
export interface KubeAccess {
  readonly cluster: ClusterAccess;
  readonly user: UserAccess;
  readonly namespace?: string | undefined;
  /** What told of it, for messages. */
  readonly source: string;
}

/** Where a context leads, by default the current one. @throws {UsageError} with the field that leads nowhere */
export function accessOf(config: Kubeconfig, context: string | undefined): KubeAccess {
  const source = config.files.join(', ');
  const names = [...config.contexts.keys()].join(', ') || 'none';
  const name = context ?? config.current;
  if (name === undefined) {
    throw new UsageError(
      `The kubeconfig ${source} has no current context: choose one with --context (it has ${names}).`,
    );
  }
  const chosen = contextNamed(config, name);
  if (chosen === undefined) {
    const which = context === undefined ? `its current context ${name}` : `a context ${name}`;
    throw new UsageError(`The kubeconfig ${source} does not hold ${which}; it has ${names}.`);
  }
  const missing = (kind: string, wanted: string | undefined) =>
    new UsageError(
      `The context ${name} in ${chosen.file} names the ${kind} ${wanted ?? '(none)'}, which no kubeconfig defines.`,
    );
  const cluster = clusterNamed(config, chosen.cluster ?? '');
  if (cluster === undefined) throw missing('cluster', chosen.cluster);
  const user = chosen.user ? userNamed(config, chosen.user) : undefined;
  if (chosen.user && user === undefined) throw missing('user', chosen.user);
  return {
    cluster: clusterOf(cluster, `clusters[${chosen.cluster}] in ${cluster.file}`),
    user: user === undefined ? { impersonation: {} } : userOf(user, `users[${chosen.user}] in ${user.file}`),
    namespace: chosen.namespace || undefined,
    source,
  };
}

/** What a plugin may be told beside the cluster's own fields. */
const PLUGIN_EXTENSION = 'client.authentication.k8s.io/exec';

function clusterOf(entry: ClusterEntry, where: string): ClusterAccess {
  const { server = '', extensions: more } = entry;
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    throw new UsageError(
      `${where}: server: expected an address such as https://cluster.example:6443, found "${server}".`,
    );
  }
  const ca = pem(entry, 'certificate-authority', where);
  const skipsVerify = entry['insecure-skip-tls-verify'] ?? false;
  if (ca !== undefined && skipsVerify) {
    throw new UsageError(
      `${where}: certificate-authority and insecure-skip-tls-verify contradict each other.`,
    );
  }
  const proxyUrl = entry['proxy-url'] || proxyOfEnvironment(server);
  if (proxyUrl !== undefined && !/^(https?|socks5):\/\//.test(proxyUrl)) {
    throw new UsageError(
      `${where}: proxy-url (or the proxy of the environment): expected http://, https:// or socks5://, found "${proxyUrl}".`,
    );
  }
  return {
    ...{ server: server.replace(/\/+$/, ''), ca, skipsVerify, proxyUrl },
    tlsServerName: entry['tls-server-name'] || undefined,
    pluginConfig: more.find(({ name }) => name === PLUGIN_EXTENSION)?.extension,
  };
}

function userOf(entry: UserEntry, where: string): UserAccess {
  const { token, tokenFile, username, password = '', exec, 'auth-provider': provider } = entry;
  const [cert, key] = [pem(entry, 'client-certificate', where), pem(entry, 'client-key', where)];
  if ((cert === undefined) !== (key === undefined)) {
    const [here, gone] = cert === undefined ? ['key', 'certificate'] : ['certificate', 'key'];
    throw new UsageError(`${where}: a client-${here} without a client-${gone}.`);
  }
  const hasToken = Boolean(token || tokenFile);
  const ways = [
    ...(username ? ['username'] : []),
    ...(hasToken ? ['token'] : []),
    ...(exec ? ['exec'] : []),
    ...(provider ? ['auth-provider'] : []),
  ];
  if (ways.length > 1) {
    throw new UsageError(`${where}: ${ways.join(' and ')} contradict each other: keep one way to log in.`);
  }
  return {
    ...{ cert, key, token: token || undefined, impersonation: impersonationOf(entry, where) },
    tokenFile: tokenFile ? beside(entry.file, tokenFile) : undefined,
    basic: username ? { username, password } : undefined,
    exec: exec && { ...exec, command: commandOf(exec.command, entry.file) },
    oidc: provider && oidcOf(provider, where),
  };
}

/** What Kubernetes 1.26 took out of kubectl, and what came in its place. */
const GONE_PROVIDERS: Readonly<Record<string, string>> = {
  gcp: 'gke-gcloud-auth-plugin',
  azure: 'kubelogin',
};

function oidcOf(
  { name, config = {} }: { readonly name: string; readonly config?: Record<string, string> | undefined },
  where: string,
): Readonly<Record<string, string>> {
  if (name === 'oidc') return config;
  const instead = GONE_PROVIDERS[name];
  throw new UsageError(
    `${where}: the auth-provider ${name} is not supported` +
      (instead === undefined ? '.' : `, as in kubectl since 1.26: use the exec plugin ${instead}.`),
  );
}

function impersonationOf({ as: user, ...entry }: UserEntry, where: string): UserAccess['impersonation'] {
  const { 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra = {} } = entry;
  if (!user) {
    if (!uid && groups.length === 0 && Object.keys(extra).length === 0) return {};
    throw new UsageError(`${where}: as-uid, as-groups and as-user-extra need an as.`);
  }
  const more = Object.entries(extra).map(([key, values]) => [
    `Impersonate-Extra-${encodeURIComponent(key.toLowerCase())}`,
    values,
  ]);
  return {
    'Impersonate-User': user,
    ...(uid ? { 'Impersonate-Uid': uid } : {}),
    ...(groups.length > 0 ? { 'Impersonate-Group': groups } : {}),
    ...(Object.fromEntries(more) as Record<string, string[]>),
  };
}

/** A path is meant from the folder of the kubeconfig that names it. */
const beside = (file: string, path: string): string => (isAbsolute(path) ? path : join(dirname(file), path));

/** A command is such a path where it has a slash, else a program of the PATH. */
const commandOf = (command: string, file: string): string =>
  command.includes('/') || command.includes('\\') ? beside(file, command) : command;

type PemField = 'certificate-authority' | 'client-certificate' | 'client-key';

/** The text in the field itself, else in the file that it names. */
function pem(
  entry: { readonly file: string; readonly [field: string]: unknown },
  field: PemField,
  where: string,
): Buffer | undefined {
  const [data, path] = [entry[`${field}-data`], entry[field]];
  const wrong = (why: string, cause?: unknown) => new UsageError(`${where}: ${field}${why}.`, { cause });
  if (typeof data === 'string' && data !== '') {
    const bytes = Buffer.from(data, 'base64');
    if (bytes.includes('-----BEGIN ')) return bytes;
    throw wrong('-data: expected a PEM file in base64, found something else');
  }
  if (typeof path !== 'string' || path === '') return undefined;
  try {
    return readFileSync(beside(entry.file, path));
  } catch (error) {
    throw wrong(`: ${(error as Error).message}`, error);
  }
}

/**
 * The proxy that the environment names for an address, by the rules of Go's programs, kubectl among them. Undefined
 * where none is named, and for addresses of NO_PROXY and of this machine.
 */
export function proxyOfEnvironment(
  address: string,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const { protocol, hostname, port } = new URL(address);
  const name = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = env[name] || env[name.toLowerCase()];
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (!proxy || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')))
    return undefined;
  const exceptions = (env.NO_PROXY || env.no_proxy || '').split(',').map((each) => each.trim().toLowerCase());
  const at = port || (protocol === 'https:' ? '443' : '80');
  if (exceptions.some((each) => each !== '' && isMeant(each, { host, port: at }))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** `*`, an address, a range of addresses, or a name with all below it (`.name`: only those); a port where one is given. */
function isMeant(
  exception: string,
  { host, port }: { readonly host: string; readonly port: string },
): boolean {
  if (exception === '*') return true;
  const [network = '', bits] = exception.split('/');
  const family = isIP(network);
  if (bits !== undefined) {
    if (family === 0 || isIP(host) !== family) return false;
    const list = new BlockList();
    const type = family === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(network, Number(bits), type);
    return list.check(host, type);
  }
  const [, name = exception, only] = /^(?:\[?)(.*?)(?:\]?):(\d+)$/.exec(family === 0 ? exception : '') ?? [];
  if (only !== undefined && only !== port) return false;
  const bare = name.replace(/^\*?\./, '');
  return (name === bare && host === bare) || host.endsWith(`.${bare}`);
}

/** Reads kubeconfigs as kubectl does: a list of files as one, paths beside their file, every field obeyed or refused by name. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/formats/files/read-file.js';
import { proxyOfEnvironment } from './proxy-environment.js';

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
export interface UserAccess {
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

// Go's YAML takes null for nothing, everywhere.
const optional = <T>(schema: z.ZodType<T>) => schema.nullish().transform((value) => value ?? undefined);
const text = optional(z.string());
const list = <T>(schema: z.ZodType<T>) =>
  z
    .array(schema)
    .nullish()
    .transform((items) => items ?? []);
const extensions = list(z.looseObject({ name: z.string(), extension: z.unknown() }));

const clusterSchema = z.looseObject({
  server: text,
  'tls-server-name': text,
  'insecure-skip-tls-verify': optional(z.boolean()),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'proxy-url': text,
  extensions,
});

const execSchema = z.looseObject({
  command: z.string().min(1),
  args: list(z.string()),
  env: list(z.looseObject({ name: z.string(), value: z.string() })),
  apiVersion: z.enum(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']),
  installHint: text,
  provideClusterInfo: optional(z.boolean()),
  interactiveMode: optional(z.enum(['Never', 'IfAvailable', 'Always'])),
});

/** A program that gives credentials. */
export type ExecPlugin = z.infer<typeof execSchema>;

const userSchema = z.looseObject({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
  as: text,
  'as-uid': text,
  'as-groups': list(z.string()),
  'as-user-extra': optional(z.record(z.string(), z.array(z.string()))),
  username: text,
  password: text,
  exec: optional(execSchema),
  'auth-provider': optional(
    z.looseObject({ name: z.string(), config: optional(z.record(z.string(), z.string())) }),
  ),
});

const contextSchema = z.looseObject({ cluster: text, user: text, namespace: text });

// An entry is read where it is wanted: what another context leads to may be of another time.
const entries = list(z.looseObject({ name: z.string().min(1) }));

const fileSchema = z.looseObject({
  kind: optional(z.literal('Config')),
  'current-context': text,
  clusters: entries,
  contexts: entries,
  users: entries,
});

type Entry<T> = T & { readonly file: string };

/** The entries of one kind, by name, with the file that each is from. */
type Entries = ReadonlyMap<string, { readonly file: string; readonly value: unknown }>;

/** Several kubeconfigs as one: what an earlier file says stays. */
export interface Kubeconfig {
  readonly files: readonly string[];
  readonly current: string | undefined;
  readonly clusters: Entries;
  readonly contexts: Entries;
  readonly users: Entries;
}

/** Reads the files that are there; one that is missing or empty says nothing. @throws {UsageError} for one that is no kubeconfig */
export function readKubeconfigs(paths: readonly string[]): Kubeconfig {
  let current: string | undefined;
  const files: string[] = [];
  const found = { cluster: new Map(), context: new Map(), user: new Map() };
  for (const path of paths) {
    const content = readConfig(path);
    if (content === undefined) continue;
    files.push(path);
    current ??= content['current-context'] || undefined;
    const file = resolve(path);
    for (const key of ['cluster', 'context', 'user'] as const) {
      for (const { name, [key]: value } of content[`${key}s`]) {
        if (!found[key].has(name)) found[key].set(name, { file, value });
      }
    }
  }
  return { files, current, clusters: found.cluster, contexts: found.context, users: found.user };
}

function readConfig(path: string): z.infer<typeof fileSchema> | undefined {
  const wrong = (why: string, cause?: unknown) =>
    new UsageError(`The kubeconfig ${path} cannot be read: ${why}.`, { cause });
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    const why = errorCode(error) === 'EISDIR' ? 'it is a directory' : String((error as Error).message);
    throw wrong(why, error);
  }
  const document = parseDocument(content);
  const [fault] = document.errors;
  if (fault !== undefined)
    throw wrong(`it is no YAML: ${fault.message.split('\n')[0]?.replace(/:$/, '')}`, fault);
  const value: unknown = document.toJS();
  if (value === null || value === undefined) return undefined;
  if (typeof value !== 'object')
    throw wrong('expected clusters, contexts and users in YAML, found plain text');
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrong(faultOf(parsed.error), parsed.error);
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
  const chosen = entryOf('contexts', name, { config, schema: contextSchema });
  if (chosen === undefined) {
    const which = context === undefined ? `its current context ${name}` : `a context ${name}`;
    throw new UsageError(`The kubeconfig ${source} does not hold ${which}; it has ${names}.`);
  }
  const missing = (kind: string, wanted: string | undefined) =>
    new UsageError(
      `The context ${name} in ${chosen.file} names the ${kind} ${wanted ?? '(none)'}, which no kubeconfig tells of.`,
    );
  const cluster = entryOf('clusters', chosen.cluster ?? '', { config, schema: clusterSchema });
  if (cluster === undefined) throw missing('cluster', chosen.cluster);
  const user = chosen.user ? entryOf('users', chosen.user, { config, schema: userSchema }) : undefined;
  if (chosen.user && user === undefined) throw missing('user', chosen.user);
  return {
    cluster: clusterOf(cluster, `clusters[${chosen.cluster}] in ${cluster.file}`),
    user: user === undefined ? { impersonation: {} } : userOf(user, `users[${chosen.user}] in ${user.file}`),
    namespace: chosen.namespace || undefined,
    source,
  };
}

/** One entry, read. @throws {UsageError} with the field that is not understood */
function entryOf<T>(
  kind: 'clusters' | 'contexts' | 'users',
  name: string,
  { config, schema }: { readonly config: Kubeconfig; readonly schema: z.ZodType<T> },
): Entry<T> | undefined {
  const entry = config[kind].get(name);
  if (entry === undefined) return undefined;
  const parsed = schema.safeParse(entry.value ?? {});
  if (parsed.success) return { ...parsed.data, file: entry.file };
  throw new UsageError(`${kind}[${name}] in ${entry.file}: ${faultOf(parsed.error)}.`, {
    cause: parsed.error,
  });
}

/** The first thing that is not as it should be: where, and how it should be. */
function faultOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is not understood'}`;
}

/** What a plugin may be told beside the cluster's own fields. */
const PLUGIN_EXTENSION = 'client.authentication.k8s.io/exec';

function clusterOf(entry: Entry<z.infer<typeof clusterSchema>>, where: string): ClusterAccess {
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

function userOf(entry: Entry<z.infer<typeof userSchema>>, where: string): UserAccess {
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

function impersonationOf(
  { as: user, ...entry }: z.infer<typeof userSchema>,
  where: string,
): UserAccess['impersonation'] {
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

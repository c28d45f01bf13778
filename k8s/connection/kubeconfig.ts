/** Reads kubeconfigs as kubectl does: a list of files as one, and each entry by its schema when it is wanted. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/core/system-errors.js';
import { parseYaml } from '../../lib/core/yaml-document.js';

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
  const noYaml = (why: string, cause: unknown) => wrong(`it is no YAML: ${why}`, cause);
  // What the library only warns of is nothing to kubectl.
  const value = parseYaml(content, noYaml, { logLevel: 'error' });
  if (value === null || value === undefined) return undefined;
  if (typeof value !== 'object')
    throw wrong('expected clusters, contexts and users in YAML, found plain text');
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrong(faultOf(parsed.error), parsed.error);
}

/** A cluster with the file that tells of it. */
export type ClusterEntry = Entry<z.infer<typeof clusterSchema>>;
/** A user with the file that tells of it. */
export type UserEntry = Entry<z.infer<typeof userSchema>>;

/** The context of a name, if there is one. @throws {UsageError} with the field that is not understood */
export const contextNamed = (config: Kubeconfig, name: string) =>
  entryOf('contexts', name, { config, schema: contextSchema });

/** The cluster of a name, as `contextNamed`. */
export const clusterNamed = (config: Kubeconfig, name: string): ClusterEntry | undefined =>
  entryOf('clusters', name, { config, schema: clusterSchema });

/** The user of a name, as `contextNamed`. */
export const userNamed = (config: Kubeconfig, name: string): UserEntry | undefined =>
  entryOf('users', name, { config, schema: userSchema });

/** One entry, read. */
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

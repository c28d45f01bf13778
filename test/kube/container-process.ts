/** A container as a process of this machine: its image's program, with the container's paths turned into real ones. */
import { join } from 'node:path';
import { projectRoot } from '../sources.js';
import { INDEX } from './job-pods.js';
import type { KubeObject } from './objects.js';

/** Volume → directory on this machine. */
export type Mounts = ReadonlyMap<string, string>;

/** A command line. */
interface ContainerProcess {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What the images start, below `/app/dist`. */
const ENTRY_POINTS: Readonly<Record<string, string>> = {
  splitter: 'splitter/cli.js',
  trainer: 'trainer/cli.js',
  'trainer-gpu': 'trainer/cli.js',
  aggregator: 'aggregator/cli.js',
  evaluator: 'evaluator/cli.js',
  server: 'server/cli.js',
  pipeline: 'k8s/cli.js',
};

/** What `fedbatch/trainer:0.1.0` and `registry.example/team/trainer:1` start; undefined for images of others. */
export function entryPointOf(image: string): string | undefined {
  return ENTRY_POINTS[/([^/:@]+)([:@][^/]*)?$/.exec(image)?.[1] ?? ''];
}

/** The command line of a container. */
export function containerProcess(
  pod: KubeObject,
  options: { readonly container: KubeObject; readonly mounts: Mounts; readonly messagePath: string },
): ContainerProcess {
  const { container, mounts, messagePath } = options;
  const env = environment(pod, container);
  const expand = (text: string) =>
    text.replaceAll(/\$\$|\$\((\w+)\)/g, (whole, name: string) =>
      whole === '$$' ? '$' : (env[name] ?? whole),
    );
  const places = new Map<string, string>([
    [container.terminationMessagePath ?? '/dev/termination-log', messagePath],
    ['/app', projectRoot],
    ...(container.volumeMounts ?? []).map(({ name, mountPath, subPath = '', subPathExpr }: KubeObject) => [
      mountPath as string,
      join(mounts.get(name) ?? '', subPathExpr === undefined ? subPath : expand(subPathExpr)),
    ]),
  ]);
  const real = (text: string) => replacePaths(text, places);
  const entry = entryPointOf(container.image);
  const command: readonly string[] =
    container.command ??
    (entry === undefined ? ['node', '-e', 'setInterval(() => {}, 1000)'] : ['node', `/app/dist/${entry}`]);
  const given = [...command, ...(container.args ?? [])].map((each: string) => real(expand(each)));
  // The pods of a machine share its ports; those of a cluster do not.
  const [file = '', ...rest] = given.map((each) => (each === '--port=5000' ? '--port=0' : each));
  return {
    file: file === 'node' ? process.execPath : file,
    arguments: rest,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: '/nonexistent',
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, real(value)])),
    },
  };
}

function environment(pod: KubeObject, { env = [] }: KubeObject): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { name, value, valueFrom } of env) {
    const field = valueFrom?.fieldRef?.fieldPath;
    result[name] = field === undefined ? (value ?? '') : downward(pod, field);
  }
  return result;
}

/** The downward API. */
function downward({ metadata, status }: KubeObject, path: string): string {
  if (path.includes(INDEX)) return metadata.annotations?.[INDEX] ?? '';
  if (path === 'metadata.namespace') return metadata.namespace ?? '';
  return path === 'metadata.name' ? metadata.name : String(status?.podIP ?? '');
}

/**
 * Replaces paths where they stand alone or before a slash (`--dir=/mnt/x`, not `/mnt2`), all at once: what is put in stays.
 * Of two places the one within the other is meant.
 */
export function replacePaths(text: string, places: ReadonlyMap<string, string>): string {
  const inner = [...places.keys()].toSorted((a, b) => b.length - a.length);
  const quoted = inner.map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`(^|[^A-Za-z0-9_./-])(${quoted.join('|')})(?=$|[^A-Za-z0-9_.-])`, 'g');
  return text.replaceAll(pattern, (_, before: string, path: string) => before + places.get(path));
}

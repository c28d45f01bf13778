/** The nodes: pods as processes of this machine, their containers one after the other or side by side. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerProcess, type Mounts, replacePaths } from './container-process.js';
import { kindNamed } from './job-controller.js';
import type { KubeObject } from './objects.js';
import { type Store, timestamp } from './store.js';

/** A container that is played instead of run. */
export interface Played {
  readonly exitCode: number;
  /** `Error`, `OOMKilled`; by default as the exit code says. */
  readonly reason?: string;
  /** What it leaves as its termination message. */
  readonly message?: string;
  /** How long it seems to work; Infinity until its pod is deleted. */
  readonly ms?: number;
  /** What it writes. */
  readonly log?: string;
}

/** What the nodes of the cluster are like. */
export interface NodeOptions {
  readonly store: Store;
  /** Where logs and the volumes of pods lie. */
  readonly directory: string;
  /** Directory of a claim. */
  readonly claim: (name: string) => string;
  /** GPUs of all nodes together. */
  readonly gpus: number;
  /** Whether an image can be pulled. */
  readonly hasImage: (image: string) => boolean;
  /** Undefined for a container that is run. */
  readonly play: (pod: KubeObject, container: string) => Played | undefined;
}

/** The running nodes. */
export interface Kubelet {
  deletePod(pod: KubeObject): void;
  /** Path of a container's log; it may grow until `hasEnded`. */
  log(pod: KubeObject, container: string): { readonly path: string; hasEnded(): boolean } | undefined;
  /** The process of a running container. */
  pid(pod: string, container: string): number | undefined;
  stop(): Promise<void>;
}

const PODS = kindNamed('Pod');
/** Between two looks at a pod that cannot start yet. */
const RETRY_MS = 100;
/** A termination message is cut there. */
const MAX_MESSAGE = 4096;
const MAX_FALLBACK = 2048;

interface Running {
  readonly stop: AbortController;
  readonly processes: Map<string, number>;
  readonly ended: Set<string>;
  readonly done: Promise<void>;
}

/** Starts nodes that run every pod of the store. */
export function startKubelet(options: NodeOptions): Kubelet {
  const { store, directory } = options;
  const running = new Map<string, Running>();
  const start = (pod: KubeObject) => {
    const uid = pod.metadata.uid ?? '';
    // It may have been deleted before any node has seen it.
    const isThere = store.find(PODS, pod.metadata.namespace, pod.metadata.name)?.metadata.uid === uid;
    if (running.has(uid) || !isThere) return;
    const [processes, ended] = [new Map<string, number>(), new Set<string>()];
    const stop = new AbortController();
    const done = runPod(pod, { ...options, signal: stop.signal, processes, ended }).then(() => {
      if (stop.signal.aborted) store.remove(pod);
    });
    running.set(uid, { stop, processes, ended, done });
  };
  const unsubscribe = store.subscribe(({ type, resource, object }) => {
    if (resource === PODS && type === 'ADDED') setImmediate(() => start(object));
  });
  return {
    deletePod(pod) {
      const entry = running.get(pod.metadata.uid ?? '');
      const now = store.change(pod, (current) => {
        current.metadata.deletionTimestamp ??= timestamp();
      });
      if (now === undefined) return;
      if (entry === undefined) return store.remove(pod);
      entry.stop.abort();
      void entry.done.then(() => store.remove(pod));
    },
    log(pod, container) {
      const entry = running.get(pod.metadata.uid ?? '');
      if (entry === undefined || !(entry.processes.has(container) || entry.ended.has(container)))
        return undefined;
      return { path: logPath(directory, pod, container), hasEnded: () => entry.ended.has(container) };
    },
    pid(name, container) {
      const pod = store.list(PODS).find(({ metadata }) => metadata.name === name);
      return running.get(pod?.metadata.uid ?? '')?.processes.get(container);
    },
    async stop() {
      unsubscribe();
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

interface PodContext extends NodeOptions {
  readonly signal: AbortSignal;
  readonly processes: Map<string, number>;
  readonly ended: Set<string>;
}

const logPath = (directory: string, pod: KubeObject, container: string) =>
  join(directory, 'pods', `${pod.metadata.uid}`, `${container}.log`);

async function runPod(pod: KubeObject, context: PodContext): Promise<void> {
  const { store, signal, directory } = context;
  const setStatus = (edit: (status: KubeObject) => void) => {
    store.change(pod, (current) => {
      current.status ??= {};
      edit(current.status);
    });
  };
  const { initContainers = [], containers } = pod.spec;
  const wait = async (why: () => string | undefined, tell: (reason: string) => void) => {
    for (let reason = why(); reason !== undefined && !signal.aborted; reason = why()) {
      tell(reason);
      await new Promise((next) => setTimeout(next, RETRY_MS));
    }
  };
  await wait(
    () => whyUnschedulable(pod, context),
    (message) =>
      setStatus((status) => {
        status.conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
      }),
  );
  if (signal.aborted) return;
  const waiting = (reason: string) => (container: KubeObject) =>
    statusOfContainer(container, { waiting: { reason } });
  store.change(pod, (current) => {
    current.spec.nodeName = 'node-1';
    current.status = {
      phase: 'Pending',
      startTime: timestamp(),
      conditions: [{ type: 'PodScheduled', status: 'True' }],
      ...(initContainers.length === 0
        ? {}
        : { initContainerStatuses: initContainers.map(waiting('PodInitializing')) }),
      containerStatuses: containers.map(
        waiting(initContainers.length === 0 ? 'ContainerCreating' : 'PodInitializing'),
      ),
    };
  });
  mkdirSync(join(directory, 'pods', `${pod.metadata.uid}`), { recursive: true });
  const mounts = mountsOf(pod, context);
  const runOne = async (container: KubeObject, list: 'initContainerStatuses' | 'containerStatuses') => {
    const set = (state: object) =>
      setStatus((status) => {
        const own = status[list].find(({ name }: { name: string }) => name === container.name);
        own.state = state;
        own.ready = 'running' in state;
        if (list === 'containerStatuses' && 'running' in state) status.phase = 'Running';
      });
    let tries = 0;
    await wait(
      () => whyNoContainer(pod, container, context)?.reason,
      () => {
        const { reason, message } = whyNoContainer(pod, container, context) ?? { reason: '', message: '' };
        const pulling = reason === 'ErrImagePull' && tries++ > 1 ? 'ImagePullBackOff' : reason;
        set({
          waiting: {
            reason: pulling,
            message: pulling === reason ? message : `Back-off pulling image "${container.image}"`,
          },
        });
      },
    );
    if (signal.aborted) return 143;
    const startedAt = timestamp();
    const { exitCode, reason, message } = await runContainer(
      pod,
      { container, mounts, onStart: () => set({ running: { startedAt } }) },
      context,
    );
    set({
      terminated: {
        exitCode,
        reason,
        startedAt,
        finishedAt: new Date().toISOString(),
        ...(message === '' ? {} : { message }),
      },
    });
    return exitCode;
  };
  const end = (codes: readonly number[]) =>
    setStatus((status) => {
      status.phase = codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
    });
  for (const container of initContainers) {
    const code = await runOne(container, 'initContainerStatuses');
    if (code !== 0) return end([code]);
  }
  end(await Promise.all(containers.map((container: KubeObject) => runOne(container, 'containerStatuses'))));
}

function statusOfContainer({ name, image }: KubeObject, state: object): object {
  return { name, image, ready: false, restartCount: 0, state };
}

/** What the scheduler says of a pod that fits nowhere. */
function whyUnschedulable(pod: KubeObject, { store, gpus }: PodContext): string | undefined {
  const { namespace } = pod.metadata;
  for (const { persistentVolumeClaim: claim } of pod.spec.volumes ?? []) {
    if (claim === undefined) continue;
    const found = store.find(kindNamed('PersistentVolumeClaim'), namespace, claim.claimName);
    if (found === undefined)
      return `0/1 nodes are available: persistentvolumeclaim "${claim.claimName}" not found. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;
    if (found.status?.phase !== 'Bound')
      return '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
  }
  const wanted = pod.spec.containers
    .map(({ resources }: KubeObject) => Number(resources?.limits?.['nvidia.com/gpu'] ?? 0))
    .reduce((sum: number, each: number) => sum + each, 0);
  return wanted > gpus
    ? '0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.'
    : undefined;
}

function whyNoContainer(
  pod: KubeObject,
  { image, env = [] }: KubeObject,
  { store, hasImage }: PodContext,
): { readonly reason: string; readonly message: string } | undefined {
  if (!hasImage(image)) {
    const message = `failed to pull and unpack image "docker.io/${image}": failed to resolve reference "docker.io/${image}": not found`;
    return { reason: 'ErrImagePull', message };
  }
  for (const { valueFrom } of env) {
    const { name, optional } = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef ?? {};
    if (name === undefined || optional) continue;
    if (store.find(kindNamed('ConfigMap'), pod.metadata.namespace, name) === undefined)
      return { reason: 'CreateContainerConfigError', message: `configmap "${name}" not found` };
  }
  return undefined;
}

function mountsOf(pod: KubeObject, { store, directory, claim }: PodContext): Mounts {
  const places = new Map<string, string>();
  const { volumes = [], initContainers = [], containers } = pod.spec;
  for (const { name, persistentVolumeClaim } of volumes) {
    const own = join(directory, 'pods', `${pod.metadata.uid}`, 'volumes', name);
    if (persistentVolumeClaim === undefined) mkdirSync(own, { recursive: true });
    places.set(name, persistentVolumeClaim === undefined ? own : claim(persistentVolumeClaim.claimName));
  }
  // Files speak of paths as containers see them.
  const seen = new Map<string, string>();
  for (const { volumeMounts = [] } of [...initContainers, ...containers]) {
    for (const { name, mountPath } of volumeMounts) seen.set(mountPath, places.get(name) ?? '');
  }
  for (const { name, configMap } of volumes) {
    if (configMap === undefined) continue;
    const { data = {} } = store.get(kindNamed('ConfigMap'), pod.metadata.namespace, configMap.name);
    for (const [file, text] of Object.entries(data)) {
      writeFileSync(join(places.get(name) ?? '', file), replacePaths(String(text), seen));
    }
  }
  return places;
}

async function runContainer(
  pod: KubeObject,
  {
    container,
    mounts,
    onStart,
  }: { readonly container: KubeObject; readonly mounts: Mounts; readonly onStart: () => void },
  { directory, processes, ended, signal, play }: PodContext,
): Promise<{ readonly exitCode: number; readonly reason: string; readonly message: string }> {
  const { name } = container;
  const path = logPath(directory, pod, name);
  const messagePath = path.replace(/log$/, 'message');
  writeFileSync(path, '');
  writeFileSync(messagePath, '');
  const played = play(pod, name);
  if (played !== undefined) {
    const { exitCode, message = '', ms = 0, log = '' } = played;
    writeFileSync(path, log);
    processes.set(name, -1);
    onStart();
    await new Promise<void>((done) => {
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(done, ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        done();
      });
    });
    processes.delete(name);
    ended.add(name);
    const { reason = exitCode === 0 ? 'Completed' : 'Error' } = played;
    return { exitCode: signal.aborted ? 143 : exitCode, reason, message };
  }
  const { file, arguments: given, env } = containerProcess(pod, { container, mounts, messagePath });
  const output = openSync(path, 'a');
  const child = spawn(file, given, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  processes.set(name, child.pid ?? -1);
  const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  let kill: NodeJS.Timeout | undefined;
  const onAbort = () => {
    child.kill('SIGTERM');
    kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  onStart();
  const exitCode = await new Promise<number>((done) => {
    child.once('error', () => done(128));
    child.once('exit', (code, by) => done(code ?? (by === 'SIGKILL' ? 137 : by === 'SIGTERM' ? 143 : 134)));
  });
  clearTimeout(kill);
  signal.removeEventListener('abort', onAbort);
  ended.add(name);
  processes.delete(name);
  const written = readFileSync(messagePath, 'utf8').slice(0, MAX_MESSAGE);
  const falls =
    container.terminationMessagePolicy === 'FallbackToLogsOnError' && exitCode !== 0 && written === '';
  const message = falls ? readFileSync(path, 'utf8').slice(-MAX_FALLBACK) : written;
  return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', message };
}

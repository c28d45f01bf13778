/** The nodes: pods as processes of this machine, their containers one after the other or side by side. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mounts, replacePaths } from './container-process.js';
import { type KubeObject, kindNamed } from './objects.js';
import { type ContainerContext, logPath, type Played, runContainer } from './run-container.js';
import { type Capacity, whyNoContainer, whyUnschedulable } from './scheduling.js';
import { type Store, type Told, tell, timestamp } from './store.js';

/** What the nodes of the cluster are like. */
interface NodeOptions extends Capacity {
  readonly store: Store;
  /** Where logs and the volumes of pods lie. */
  readonly directory: string;
  /** Directory of a claim. */
  readonly claim: (name: string) => string;
  /** Whether an image can be pulled. */
  readonly hasImage: (image: string, pod: KubeObject) => boolean;
  /** What keeps the node of a pod from starting it, of which events alone tell. */
  readonly hold: (pod: KubeObject) => Told | undefined;
  /** Whether the node of a pod is lost: nothing stops there any more. */
  readonly isLost: (pod: KubeObject) => boolean;
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
      if (now === undefined || options.isLost(pod)) return;
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

type PodContext = NodeOptions & ContainerContext;

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
  await wait(
    () => context.hold(pod)?.message,
    () => {
      const held = context.hold(pod);
      if (held !== undefined) tell(store, pod, held);
    },
  );
  if (signal.aborted) return;
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

/** What tells where they are. */
interface VolumeContext {
  readonly store: Store;
  readonly directory: string;
  /** Directory of a claim. */
  readonly claim: (name: string) => string;
}

/** Makes the pod's own volumes and fills those of ConfigMaps. */
function mountsOf(pod: KubeObject, { store, directory, claim }: VolumeContext): Mounts {
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
    for (const { name, mountPath, subPath = '' } of volumeMounts)
      seen.set(mountPath, join(places.get(name) ?? '', subPath));
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

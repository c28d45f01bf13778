/** A node whose pods end at once, with the results that fedbatch's programs would leave: for rights and for scale. */
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';
import { createSlots } from '../../lib/system/slots.js';
import type { KubeObject } from '../kube/objects.js';
import { playedPrograms } from '../kube/played-programs.js';
import { admin, HOLLOW, kubectl } from './cluster.js';

/** How long a pod seems to work. */
const WORK_MS = 500;
const HEARTBEAT_MS = 8_000;
/** Pods that are begun or ended at a time. */
const HANDS = 64;

const merge = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch);

/** Starts it; gone when the test ends. */
export async function startHollowNode(t: TestContext): Promise<void> {
  const config = new k8s.KubeConfig();
  config.loadFromFile(admin.kubeconfig);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const coordination = config.makeApiClient(k8s.CoordinationV1Api);
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await kubectl(admin, ['delete', 'node', HOLLOW, '--ignore-not-found']);
  });
  const labels = { 'kubernetes.io/hostname': HOLLOW };
  // Pods of others are better off anywhere else.
  const taints = [{ key: HOLLOW, effect: 'PreferNoSchedule' }];
  await kubectl(admin, ['delete', 'node', HOLLOW, '--ignore-not-found']);
  await core.createNode({ body: { metadata: { name: HOLLOW, labels }, spec: { taints } } });
  const lease = { name: HOLLOW, namespace: 'kube-node-lease' };
  const heartbeat = async () => {
    await core.patchNodeStatus({ name: HOLLOW, body: { status: nodeStatus() } }, merge);
    const spec = { holderIdentity: HOLLOW, leaseDurationSeconds: 40 };
    const renewTime = new k8s.V1MicroTime();
    const body = { metadata: lease, spec: { ...spec, renewTime } };
    await coordination
      .patchNamespacedLease({ ...lease, body: { spec: { renewTime } } }, merge)
      .catch(() => coordination.createNamespacedLease({ namespace: lease.namespace, body }));
  };
  await heartbeat();
  const timer = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_MS);
  stop.signal.addEventListener('abort', () => clearInterval(timer));

  const play = playedPrograms();
  const run = async (pod: k8s.V1Pod) => {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    const started = new Date();
    const patch = (status: k8s.V1PodStatus) =>
      core.patchNamespacedPodStatus({ name, namespace, body: { status } }, merge);
    const all = (state: (container: string) => k8s.V1ContainerState) => {
      const told = ({ name: container, image = '' }: k8s.V1Container): k8s.V1ContainerStatus => ({
        ...{ name: container, image, imageID: HOLLOW, ready: false, restartCount: 0 },
        state: state(container),
      });
      const { containers = [], initContainers = [] } = pod.spec ?? {};
      return {
        containerStatuses: containers.map(told),
        initContainerStatuses: initContainers.map(told),
      };
    };
    const running = { running: { startedAt: started } };
    await patch({ phase: 'Running', startTime: started, ...all(() => running) });
    await sleep(WORK_MS);
    const ended = (container: string) => {
      const message = play(pod as unknown as KubeObject, container)?.message ?? '';
      const at = { startedAt: started, finishedAt: new Date() };
      return { terminated: { exitCode: 0, reason: 'Completed', ...at, message } };
    };
    await patch({ phase: 'Succeeded', ...all(ended) });
  };
  const hands = createSlots(HANDS);
  const seen = new Set<string>();
  const take = (pod: k8s.V1Pod) => {
    const { uid = '', name = '', namespace = '', deletionTimestamp } = pod.metadata ?? {};
    const isOver = ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
    const work = async () => {
      if (deletionTimestamp === undefined) return await run(pod);
      await core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });
    };
    if (deletionTimestamp === undefined && (isOver || seen.has(uid))) return;
    seen.add(uid);
    // A pod that was deleted meanwhile is nobody's trouble.
    void hands.use(work).catch(() => undefined);
  };
  const fieldSelector = `spec.nodeName=${HOLLOW}`;
  const watch = new k8s.Watch(config);
  let request: ReturnType<typeof watch.watch> | undefined;
  stop.signal.addEventListener('abort', () => void request?.then((each) => each.abort()));
  void (async () => {
    while (!stop.signal.aborted) {
      const { items, metadata } = await core.listPodForAllNamespaces({ fieldSelector });
      items.forEach(take);
      await new Promise<void>((resolve) => {
        const query = { fieldSelector, resourceVersion: metadata?.resourceVersion, timeoutSeconds: 60 };
        const onEvent = (type: string, pod: k8s.V1Pod) => {
          if (type === 'ADDED' || type === 'MODIFIED') take(pod);
        };
        request = watch.watch('/api/v1/pods', query, onEvent, () => resolve());
      });
    }
  })().catch(() => undefined);
}

function nodeStatus(): k8s.V1NodeStatus {
  const now = new Date();
  const condition = (type: string, status: string) => ({
    ...{ type, status, reason: 'Hollow', message: HOLLOW },
    ...{ lastHeartbeatTime: now, lastTransitionTime: now },
  });
  const room = { cpu: '4000', memory: '8000Gi', pods: '5000', 'ephemeral-storage': '1000Gi' };
  return {
    capacity: room,
    allocatable: room,
    conditions: [condition('Ready', 'True'), condition('MemoryPressure', 'False')],
  };
}

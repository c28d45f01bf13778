/** A whole cluster for tests: API server, Job controller and nodes in this process, pods as processes beside it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, type ApiServerOptions, type Fault, startApiServer } from './api-server.js';
import { linesOf } from './container-log.js';
import { entryPointOf } from './container-process.js';
import { startJobController } from './job-controller.js';
import { type Kubelet, startKubelet } from './kubelet.js';
import { ApiError, type KubeObject, kindNamed } from './objects.js';
import { startOtherControllers } from './other-controllers.js';
import type { Played } from './run-container.js';
import { createStore, type Store, type Told } from './store.js';
import type { Access } from './target.js';

/** How a cluster differs from one where everything works. */
export interface ClusterOptions {
  /** Where its files lie. */
  readonly directory: string;
  /** Claims that are there and bound; by default `fedbatch`. */
  readonly claims?: readonly string[];
  readonly gpus?: number;
  /** Pods that the nodes hold at a time; by default any number. */
  readonly places?: number;
  /** Storage classes that bind nothing. */
  readonly brokenStorageClasses?: readonly string[];
  readonly fault?: (access: Access) => Fault | undefined;
  /** Containers that are played instead of run. */
  readonly play?: (pod: KubeObject, container: string) => Played | undefined;
  readonly hasImage?: (image: string, pod: KubeObject) => boolean;
  /** What keeps the node of a pod from starting it, of which events alone tell. */
  readonly hold?: (pod: KubeObject) => Told | undefined;
  /** Whether the node of a pod is lost: nothing stops there any more. */
  readonly isLost?: (pod: KubeObject) => boolean;
  /** Whether a quota has no room for a pod. */
  readonly refusesPod?: (pod: KubeObject) => boolean;
  /** The queue that Jobs wait in until they are no longer suspended. */
  readonly suspends?: (job: KubeObject) => boolean;
  readonly tls?: ApiServerOptions['tls'];
  readonly authenticate?: ApiServerOptions['authenticate'];
  /** Rules of a Role that everybody is held to, as YAML of a manifest; by default nobody is. */
  readonly role?: string;
}

/** A running cluster. */
export interface FakeCluster {
  readonly store: Store;
  readonly api: ApiServer;
  readonly kubelet: Kubelet;
  /** Path of a kubeconfig of its only user. */
  readonly kubeconfig: string;
  /** Directory of a claim. */
  claim(name: string): string;
}

const NAMESPACE = 'team';
const USER = 'ada';

/** Starts a cluster that lives as long as test `t`. */
export async function startCluster(
  t: Pick<TestContext, 'after'>,
  options: ClusterOptions,
): Promise<FakeCluster> {
  const { directory, claims = ['fedbatch'], brokenStorageClasses = [] } = options;
  const { gpus = 0, places = Number.POSITIVE_INFINITY } = options;
  const store = createStore();
  const claim = (name: string) => {
    const path = join(directory, 'claims', name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const kubelet = startKubelet({
    ...{ store, directory, claim, gpus, places },
    hasImage: options.hasImage ?? ((image) => entryPointOf(image) !== undefined),
    play: options.play ?? (() => undefined),
    hold: options.hold ?? (() => undefined),
    isLost: options.isLost ?? (() => false),
  });
  const stopJobs = startJobController(store, {
    deletePod: kubelet.deletePod,
    refusesPod: options.refusesPod ?? (() => false),
    suspends: options.suspends ?? (() => false),
  });
  const stopOthers = startOtherControllers(store, { brokenStorageClasses });
  const api = await startApiServer({
    store,
    user: USER,
    tls: options.tls,
    authenticate: options.authenticate,
    deletePod: kubelet.deletePod,
    log: (pod, query) => logOf(kubelet, pod, query),
    fault: options.fault ?? (() => undefined),
    authorize: options.role === undefined ? () => true : roleOf(options.role),
  });
  for (const name of [NAMESPACE, 'default'])
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  for (const name of claims) {
    store.create({
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: NAMESPACE } },
      spec: { accessModes: ['ReadWriteMany'] },
      status: { phase: 'Bound' },
    });
  }
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigOf(api.url));
  t.after(async () => {
    stopJobs();
    stopOthers();
    await kubelet.stop();
    await api.close();
  });
  return { store, api, kubelet, kubeconfig, claim };
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'fake',
    contexts: [{ name: 'fake', context: { cluster: 'fake', user: USER, namespace: NAMESPACE } }],
    clusters: [{ name: 'fake', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: USER, user: { token: 'secret' } }],
  });
}

function logOf(kubelet: Kubelet, pod: KubeObject, query: URLSearchParams): Readable {
  const container = query.get('container') ?? pod.spec.containers[0].name;
  const log = kubelet.log(pod, container);
  if (log === undefined) {
    const message = `container "${container}" in pod "${pod.metadata.name}" is waiting to start: ContainerCreating`;
    throw new ApiError(400, 'BadRequest', message);
  }
  return Readable.from(linesOf(log, query));
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The rules of the Role in a manifest. */
export function rulesOf(manifest: string): readonly Rule[] {
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as KubeObject);
  return objects.filter((object) => object?.kind === 'Role').flatMap(({ rules }) => rules as readonly Rule[]);
}

function roleOf(manifest: string): (access: Access) => boolean {
  const rules = rulesOf(manifest);
  return ({ verb, resource, subresource }) => {
    const [plural = '', ...group] = resource.split('.');
    const below = subresource === '' ? plural : `${plural}/${subresource}`;
    return rules.some(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.includes(group.join('.')) && resources.includes(below) && verbs.includes(verb),
    );
  };
}

/** The objects of a kind in that namespace. */
export function objectsOf({ store }: FakeCluster, kind: string): readonly KubeObject[] {
  return store.list(kindNamed(kind), NAMESPACE);
}

/** What the runner asks of a cluster, each request repeated where it helps and refused in words that a user can act on. */
import type {
  CoreV1Event,
  V1ConfigMap,
  V1Job,
  V1PersistentVolumeClaim,
  V1Pod,
} from '@kubernetes/client-node';
import { UsageError } from '../../lib/core/errors.js';
import type { Reporter } from '../../lib/observability/events.js';
import { within } from '../../lib/system/abort.js';
import {
  describeTrouble,
  explainFailure,
  hasAnswered,
  isPassing,
  isUnreachable,
  readFailure,
} from '../connection/api-errors.js';
import type { Connection } from '../connection/connect.js';
import { FIRST_PATIENCE_MS, PATIENCE_MS, withRetries } from '../connection/retry.js';
import { readLines, textOf } from '../connection/transport.js';
import type { Labels } from './job-status.js';
import { MANAGER } from './names.js';
import { parseObject } from './pod-status.js';

/** A list with the version from which a watch goes on. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly version: string;
}

/** What a watch or list is about. */
export interface ObjectSelection {
  readonly labels?: string;
  readonly fields?: string;
}

/** One change that a watch tells. */
export interface WatchEvent<T> {
  readonly type: string;
  readonly object: T;
}

/** A right that the runner needs. */
export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
}

/** The cluster, in one namespace. */
export interface ClusterApi {
  readonly namespace: string;
  readonly server: string;
  findJob(name: string): Promise<V1Job | undefined>;
  /** Returns undefined when one of that name is there already. */
  createJob(job: V1Job): Promise<V1Job | undefined>;
  /** Its pods go first. */
  deleteJob(name: string): Promise<void>;
  /** Has a Job fail with `DeadlineExceeded`: its pods that run or wait are stopped, those that are done stay. */
  endJob(name: string, annotations: Labels): Promise<void>;
  /** Gives a Job so many seconds from its start. */
  setDeadline(name: string, seconds: number): Promise<void>;
  listJobs(selection: ObjectSelection): Promise<Listed<V1Job>>;
  listPods(selection: ObjectSelection): Promise<Listed<V1Pod>>;
  listEvents(selection: ObjectSelection): Promise<readonly CoreV1Event[]>;
  listConfigMaps(selection: ObjectSelection): Promise<readonly V1ConfigMap[]>;
  applyConfigMap(map: V1ConfigMap): Promise<void>;
  deleteConfigMap(name: string): Promise<void>;
  findClaim(name: string): Promise<V1PersistentVolumeClaim | undefined>;
  applyClaim(claim: V1PersistentVolumeClaim): Promise<void>;
  may(right: Right): Promise<boolean>;
  /** @throws {UsageError} when the namespace is known not to be there, or to be on its way out */
  requireNamespace(): Promise<void>;
  readLog(pod: string, container: string, lines: number): Promise<string>;
  /** Calls `onLine`, with the time in front, until the container or the connection ends. @throws {TimeLimitError} where nothing came for so long */
  followLog(pod: string, container: string, options: FollowOptions): Promise<void>;
  /** Calls `onEvent` until the server or the connection ends it; rejects as the server refuses. */
  watch<T>(kind: 'jobs' | 'pods', options: WatchRequest<T>): Promise<void>;
}

/** How a log is followed. */
interface FollowOptions {
  readonly onLine: (line: string) => void;
  /** From this second on; by default from the beginning. */
  readonly since: string | undefined;
  readonly quietMs: number;
  readonly signal: AbortSignal;
}

/** How a watch goes. */
interface WatchRequest<T> extends ObjectSelection {
  readonly version: string;
  readonly onEvent: (event: WatchEvent<T>) => void;
  readonly signal: AbortSignal;
}

/** An answer to anything but a watch or a log comes sooner; a connection that is dead without a word never brings one. */
const ANSWER_MS = 30_000;
/** A watch is asked to end after so long, and ended when it has not: then everything is listed again. */
const WATCH_SECONDS = 60;
const WATCH_SLACK_MS = 10_000;

/** So many pods are told at once: the text of thousands would take more memory than all that is kept of them. */
const PODS_AT_ONCE = 500;

/** What nobody here looks at, and thousands of pods would keep: the list of all clients, and who has set which field. */
function drop({ metadata, spec }: V1Pod): void {
  delete metadata?.managedFields;
  for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])])
    delete container.env;
}

const noApiServer = (server: string) =>
  new UsageError(
    `${server} does not answer as a Kubernetes API server does: check the server of the kubeconfig.`,
  );

/** The cluster of a connection. */
export async function clusterApi(
  { transport, namespace, server, isInside }: Connection,
  {
    signal,
    reporter,
    podsAtOnce = PODS_AT_ONCE,
  }: { readonly signal: AbortSignal; readonly reporter: Reporter; readonly podsAtOnce?: number },
): Promise<ClusterApi> {
  const client = await import('@kubernetes/client-node');
  const library: Parameters<typeof client.wrapHttpLibrary>[0] = {
    // What is given up leaves no connection behind.
    send: (request) =>
      within({ ms: ANSWER_MS, signal }, async (over) => {
        const answer = await transport.send({
          url: new URL(request.getUrl()),
          method: request.getHttpMethod(),
          headers: request.getHeaders(),
          body: request.getBody() as string | undefined,
          signal: over,
        });
        const headers = Object.fromEntries(
          Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
        );
        const text = await textOf(answer);
        const body = { text: async () => text, binary: async () => Buffer.from(text) };
        return new client.ResponseContext(answer.statusCode ?? 0, headers, body);
      }),
  };
  const configuration = client.createConfiguration({
    baseServer: new client.ServerConfiguration(server, {}),
    httpApi: client.wrapHttpLibrary(library),
  });
  const batch = new client.BatchV1Api(configuration);
  const core = new client.CoreV1Api(configuration);
  const authorization = new client.AuthorizationV1Api(configuration);
  const apply = client.setHeaderOptions('Content-Type', client.PatchStrategy.ServerSideApply);
  const merge = client.setHeaderOptions('Content-Type', client.PatchStrategy.MergePatch);
  // A server that was never there is told at once; one that has answered is waited for.
  let isKnown = isInside;
  const patienceMs = (error: unknown) => {
    if (hasAnswered(error)) isKnown = true;
    if (isKnown) return PATIENCE_MS;
    return isUnreachable(error) ? 0 : FIRST_PATIENCE_MS;
  };
  // All requests that are under way meet the same trouble: it is told once until one of them is answered.
  let isTroubled = false;
  const onTrouble = (error: unknown) => {
    if (!isTroubled) reporter.warn(`the API server ${describeTrouble(error)}; trying again.`);
    isTroubled = true;
  };
  const ask = async <T>(request: () => Promise<T>): Promise<T> => {
    try {
      const answer = await withRetries(request, { signal, onTrouble, patienceMs });
      if (isTroubled) reporter.info('the API server answers again.');
      isKnown = true;
      isTroubled = false;
      return answer;
    } catch (error) {
      throw explainFailure(error, server) ?? error;
    }
  };
  const unless = async <T>(code: number, request: () => Promise<T>): Promise<T | undefined> =>
    ask(() =>
      request().catch((error: unknown) => {
        if (readFailure(error).code === code) return undefined;
        throw error;
      }),
    );
  const select = ({ labels, fields }: ObjectSelection) => ({
    namespace,
    ...(labels === undefined ? {} : { labelSelector: labels }),
    ...(fields === undefined ? {} : { fieldSelector: fields }),
  });
  const listed = <T>(answer: { items: T[]; metadata?: { resourceVersion?: string } }): Listed<T> => {
    if (!Array.isArray(answer?.items)) throw noApiServer(server);
    return { items: answer.items, version: answer.metadata?.resourceVersion ?? '' };
  };
  const listPods = async (selection: ObjectSelection): Promise<Listed<V1Pod>> => {
    const page = (more: { readonly _continue?: string } = {}) =>
      core.listNamespacedPod({ ...select(selection), limit: podsAtOnce, ...more });
    const items: V1Pod[] = [];
    for (let answer = await ask(() => page()); ; ) {
      const { items: pods, version } = listed(answer);
      for (const pod of pods) drop(pod);
      items.push(...pods);
      const next = answer.metadata?._continue;
      if (!next) return { items, version };
      const more = await unless(410, () => page({ _continue: next }));
      // The server no longer knows what was there at the first page.
      if (more === undefined) return await listPods(selection);
      answer = more;
    }
  };
  const patchJob = async (name: string, body: object): Promise<void> => {
    await ask(() => batch.patchNamespacedJob({ name, namespace, body, fieldManager: MANAGER }, merge));
  };
  const applied = { namespace, fieldManager: MANAGER, force: true };
  return {
    namespace,
    server,
    findJob: (name) => unless(404, () => batch.readNamespacedJob({ name, namespace })),
    createJob: (body) =>
      unless(409, () =>
        batch.createNamespacedJob({ namespace, body, fieldManager: MANAGER, fieldValidation: 'Strict' }),
      ),
    deleteJob: async (name) => {
      await unless(404, () =>
        batch.deleteNamespacedJob({ name, namespace, propagationPolicy: 'Foreground' }),
      );
    },
    endJob: (name, annotations) =>
      patchJob(name, { metadata: { annotations }, spec: { activeDeadlineSeconds: 0 } }),
    setDeadline: (name, seconds) => patchJob(name, { spec: { activeDeadlineSeconds: seconds } }),
    listJobs: async (selection) => listed(await ask(() => batch.listNamespacedJob(select(selection)))),
    listPods,
    listEvents: async (selection) =>
      listed(await ask(() => core.listNamespacedEvent(select(selection)))).items,
    listConfigMaps: async (selection) =>
      listed(await ask(() => core.listNamespacedConfigMap(select(selection)))).items,
    applyConfigMap: async (body) => {
      await ask(() =>
        core.patchNamespacedConfigMap({ ...applied, name: body.metadata?.name ?? '', body }, apply),
      );
    },
    deleteConfigMap: async (name) => {
      await unless(404, () => core.deleteNamespacedConfigMap({ name, namespace }));
    },
    findClaim: (name) => unless(404, () => core.readNamespacedPersistentVolumeClaim({ name, namespace })),
    applyClaim: async (body) => {
      const name = body.metadata?.name ?? '';
      await ask(() => core.patchNamespacedPersistentVolumeClaim({ ...applied, name, body }, apply));
    },
    may: async (right) => {
      const body = { spec: { resourceAttributes: { ...right, namespace } } };
      const review = await ask(() => authorization.createSelfSubjectAccessReview({ body }));
      if (review?.status === undefined) throw noApiServer(server);
      return review.status.allowed;
    },
    requireNamespace: async () => {
      // Whoever may not look at namespaces is refused, and hears of its absence by what is missing in it.
      const found = await unless(403, () => core.readNamespace({ name: namespace }));
      if (found?.metadata?.deletionTimestamp === undefined) return;
      throw new UsageError(
        `The namespace ${namespace} is being deleted: choose another --namespace, or make it again once kubectl get ` +
          'namespaces lists it no longer.',
      );
    },
    readLog: async (name, container, tailLines) =>
      (await unless(404, () => core.readNamespacedPodLog({ name, namespace, container, tailLines }))) ?? '',
    followLog: (pod, container, { onLine, since, quietMs, signal: stop }) => {
      const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log`;
      const query = new URLSearchParams({
        ...{ container, follow: 'true', timestamps: 'true' },
        ...(since === undefined ? {} : { sinceTime: since }),
      });
      const url = new URL(`${server}${path}?${query}`);
      return within({ ms: quietMs, signal: stop }, (over, goOn) => {
        const tell = (line: string) => {
          goOn();
          onLine(line);
        };
        return readLines(transport, { url, onLine: tell, signal: over });
      });
    },
    watch: async (kind, { version, labels, fields, onEvent, signal: stop }) => {
      const group = kind === 'jobs' ? '/apis/batch/v1' : '/api/v1';
      const path = `${group}/namespaces/${namespace}/${kind}`;
      const query = new URLSearchParams({
        ...{ watch: 'true', resourceVersion: version, allowWatchBookmarks: 'true' },
        timeoutSeconds: `${WATCH_SECONDS}`,
        ...(labels === undefined ? {} : { labelSelector: labels }),
        ...(fields === undefined ? {} : { fieldSelector: fields }),
      });
      const url = new URL(`${server}${path}?${query}`);
      // The last line of a connection that was cut off is none.
      const onLine = (line: string) => {
        const event = parseObject(line);
        if (event === undefined) return;
        if (kind === 'pods' && event.object !== undefined) drop(event.object as V1Pod);
        onEvent(event as unknown as Parameters<typeof onEvent>[0]);
      };
      const untilOver = (over: AbortSignal) => readLines(transport, { url, onLine, signal: over });
      try {
        await within({ ms: WATCH_SECONDS * 1000 + WATCH_SLACK_MS, signal: stop }, untilOver);
      } catch (error) {
        if (stop.aborted || isPassing(error) || readFailure(error).code === 410) throw error;
        throw explainFailure(error, server) ?? error;
      }
    },
  };
}

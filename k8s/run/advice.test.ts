/** What a cluster refuses is told as what it is, with the step that helps, against the API server of the tests. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { StageError } from '../../lib/core/errors.js';
import { forMany } from '../../lib/system/abort.js';
import { type ClusterOptions, type FakeCluster, objectsOf } from '../../test/kube/cluster.js';
import { type KubeObject, kindNamed } from '../../test/kube/objects.js';
import {
  keepingReporter,
  playedCluster,
  playedPrograms,
  runOptions,
  runPlayed,
} from '../../test/kube/played-programs.js';
import { kube } from '../../test/kube/runs.js';
import { waitFor } from '../../test/runs.js';
import { projectRoot } from '../../test/sources.js';
import { findCluster } from '../connection/connect.js';
import { clusterApi } from './cluster-api.js';
import { startFeed } from './feed.js';
import { createWatchman } from './watchman.js';

const ROLE = readFileSync(join(projectRoot, 'k8s', '0-rbac.yaml'), 'utf8');

test('a used-up quota and a rule of admission are no missing right', async (t) => {
  const refusing = (message: string): Partial<ClusterOptions> => ({
    fault: ({ verb, resource }) =>
      verb === 'create' && resource === 'jobs.batch' ? { kind: 'refuse', code: 403, message } : undefined,
  });
  const quota = await playedCluster(
    t,
    refusing(
      'jobs.batch "x-start" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: count/jobs.batch=9, limited: count/jobs.batch=9',
    ),
  );
  const full = await runPlayed(quota);
  assert.equal(full.error?.exitCode, 5);
  assert.match(
    full.error?.message ?? '',
    /exceeded quota: team, .*k8s delete --run.*or have the quota raised/,
  );
  const rule = await playedCluster(
    t,
    refusing(
      'jobs.batch "x-start" is forbidden: ValidatingAdmissionPolicy \'night\' denied request: not at night',
    ),
  );
  const denied = await runPlayed(rule);
  assert.equal(denied.error?.exitCode, 2);
  assert.match(
    denied.error?.message ?? '',
    /not at night\. A rule of the cluster says so, not a missing right/,
  );
  for (const { error, lines } of [full, denied]) {
    assert.doesNotMatch(error?.message ?? '', /0-rbac/);
    assert.deepEqual(lines.slice(1), [], 'one line says it');
  }
});

test('a namespace that is not there, or on its way out, is told as such by all that look into it', async (t) => {
  const cluster = await playedCluster(t);
  const { kubeconfig } = cluster;
  const destination = { kubeconfig, namespace: 'nowhere' };
  const none =
    /^The cluster has no namespace nowhere: make it with kubectl create namespace nowhere, or choose another/;
  const { values } = runOptions(cluster);
  for (const more of [{ destination }, { destination, values: { ...values, STORAGE_CLASS: 'nfs-csi' } }]) {
    const { error } = await runPlayed(cluster, more);
    assert.equal(error?.exitCode, 2);
    assert.match(error?.message ?? '', none);
  }
  const asked = await Promise.all(
    [['status'], ['logs', '--run', 'a'], ['delete', '--run', 'a']].map((words) =>
      kube(cluster, [...words, '--namespace', 'nowhere']),
    ),
  );
  for (const { exitCode, stderr } of asked) {
    assert.equal(exitCode, 2);
    assert.match(stderr, /^error: The cluster has no namespace nowhere/m);
  }
  const team = cluster.store.get(kindNamed('Namespace'), undefined, 'team');
  cluster.store.change(team, ({ metadata }) => {
    metadata.deletionTimestamp = new Date().toISOString();
  });
  const going = await runPlayed(cluster);
  assert.equal(going.error?.exitCode, 2);
  assert.match(going.error?.message ?? '', /because it is being terminated\. Choose another --namespace/);
  for (const claim of objectsOf(cluster, 'PersistentVolumeClaim')) cluster.store.remove(claim);
  const empty = await runPlayed(cluster);
  assert.match(
    empty.error?.message ?? '',
    /^The namespace team is being deleted: choose another --namespace/,
  );
});

/** The role without some verbs of a resource. */
const roleWithout = (resource: string, verbs: readonly string[]) =>
  ROLE.replace(
    new RegExp(`(resources: \\[${resource}\\]\n    verbs: \\[)([^\\]]*)`),
    (_, head, list: string) =>
      [
        head,
        list
          .split(', ')
          .filter((verb) => !verbs.includes(verb))
          .join(', '),
      ].join(''),
  );

test('only the rights are asked for that this run needs', async (t) => {
  const role = roleWithout('persistentvolumeclaims', ['create', 'patch']);
  const there = await runPlayed(await playedCluster(t, { role }));
  assert.ok(there.result, there.error?.message);
  const cluster = await playedCluster(t, { role, claims: [] });
  const { values } = runOptions(cluster);
  const lacking = await runPlayed(cluster, { values: { ...values, STORAGE_CLASS: 'nfs-csi' } });
  assert.equal(lacking.error?.exitCode, 2);
  assert.match(
    lacking.error?.message ?? '',
    /what the run needs: create, patch persistentvolumeclaims\. .*0-rbac/,
  );
  const keeping = roleWithout('configmaps', ['list', 'delete']);
  assert.ok((await runPlayed(await playedCluster(t, { role: keeping }))).result);
  const cleaning = await runPlayed(await playedCluster(t, { role: keeping }), { cleansUp: true });
  assert.match(cleaning.error?.message ?? '', /what the run needs: list, delete configmaps\./);
});

test('a claim that is there is judged: its class, its volume, whether it stays', async (t) => {
  const cluster = await playedCluster(t, { claims: [], brokenStorageClasses: ['fast'] });
  const { values } = runOptions(cluster);
  const withClaim = async (claim: object, metadata: object = {}) => {
    for (const each of objectsOf(cluster, 'PersistentVolumeClaim')) cluster.store.remove(each);
    const base = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' };
    cluster.store.create({
      ...base,
      metadata: { name: 'fedbatch', namespace: 'team', ...metadata },
      ...claim,
    });
    return runPlayed(cluster, {
      ...{ scheduleTimeoutMs: 300 },
      values: { ...values, STORAGE_CLASS: 'nfs-csi' },
    });
  };
  const spec = { storageClassName: 'fast' };
  const anew =
    /kubectl delete pvc fedbatch --namespace team, and the same command with --storage-class makes it anew\.$/;
  const pending = await withClaim({ spec, status: { phase: 'Pending' } });
  assert.equal(pending.error?.exitCode, 2);
  assert.match(
    pending.error?.message ?? '',
    /^The claim fedbatch is there already, waits for a volume of the storage class fast, and cannot change to nfs-csi: /,
  );
  assert.match(pending.error?.message ?? '', anew);
  const lost = await withClaim({ spec, status: { phase: 'Lost' } });
  assert.match(lost.error?.message ?? '', anew);
  const going = await withClaim({ spec }, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  assert.match(
    going.error?.message ?? '',
    /^The claim fedbatch is being deleted, .*kubectl describe pvc fedbatch /,
  );
  const bound = await withClaim({ spec, status: { phase: 'Bound' } });
  assert.ok(bound.result, bound.error?.message);
  assert.ok(
    bound.lines.some((line) => /storage class fast: --storage-class nfs-csi changes nothing/.test(line)),
  );
});

test('a server that goes away for a while is told of once, however much is asked of it', async (t) => {
  let refusals = 0;
  const cluster = await playedCluster(t, {
    fault: () => (refusals++ < 60 ? { kind: 'refuse', code: 500, message: 'etcd has no leader' } : undefined),
  });
  const api = await apiOf(cluster);
  const asked = Array.from({ length: 17 }, () => api.listJobs({}));
  await Promise.all(asked);
  assert.deepEqual(api.lines, [
    'the API server answers 500 (etcd has no leader); trying again.',
    'the API server answers again.',
  ]);
});

test('pods are told page by page, without what nobody looks at, and once more from the start where a page is too old', async (t) => {
  let asked = 0;
  const cluster = await playedCluster(t, {
    fault: ({ verb, resource }) => {
      if (verb !== 'list' || resource !== 'pods') return undefined;
      asked++;
      // Between the second page and the third.
      if (asked === 3) {
        addPod('late');
        cluster.store.compact();
      }
      return undefined;
    },
  });
  const addPod = (name: string) =>
    cluster.store.create({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'team', labels: { a: 'b' } } },
      spec: { containers: [{ name: 'trainer', env: [{ name: 'FEDBATCH_CLIENTS', value: '0,1' }] }] },
    } as KubeObject);
  const names = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'];
  for (const name of names) addPod(name);
  const api = await apiOf(cluster, 3);
  const { items, version } = await api.listPods({ labels: 'a=b' });
  assert.deepEqual(items.map(({ metadata }) => metadata?.name).sort(), ['late', ...names]);
  assert.equal(asked, 6, 'two pages, one that was too old, and three');
  assert.equal(Number(version), cluster.store.revision());
  assert.deepEqual(
    items.map(({ spec }) => spec?.containers.map(({ name, env }) => [name, env])),
    items.map(() => [['trainer', undefined]]),
  );
});

test('a server that has never answered is not waited for', async (t) => {
  const cluster = await playedCluster(t, {
    fault: () => ({ kind: 'refuse', code: 503, retryAfterSeconds: 30, message: 'no backend' }),
  });
  const api = await apiOf(cluster);
  await assert.rejects(api.listJobs({}), (error: StageError) => {
    assert.equal(error.exitCode, 5);
    assert.match(
      error.message,
      /^k8s: the API server \S+ answers 503: no backend\. The same command resumes/,
    );
    return true;
  });
  assert.deepEqual(api.lines, []);
});

async function apiOf({ kubeconfig }: Pick<FakeCluster, 'kubeconfig'>, podsAtOnce?: number) {
  const reporter = keepingReporter();
  const signal = forMany(new AbortController().signal);
  const pages = podsAtOnce === undefined ? {} : { podsAtOnce };
  const api = await clusterApi(await findCluster({ kubeconfig }), { signal, reporter, ...pages });
  return { ...api, lines: reporter.lines };
}

test('thirty clients of which one at a time has room: a line for what they wait for, and none as each ends', async (t) => {
  const cluster = await playedCluster(t);
  const api = await apiOf(cluster);
  const reporter = keepingReporter();
  t.mock.timers.enable({ apis: ['Date'] });
  const watchman = createWatchman({
    ...{ api, reporter, signal: forMany(new AbortController().signal), scheduleTimeoutMs: 300_000 },
    ...{ title: 'train round 1', clientsOf: ({ metadata }) => [Number(metadata?.uid)] },
  });
  const job: V1Job = {
    metadata: { name: 'train', uid: 'job' },
    spec: { completions: 30, parallelism: 30, template: {} },
  };
  const waiting = (uid: number, message: string): V1Pod => ({
    metadata: { name: `train-${uid}`, uid: `${uid}` },
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] },
  });
  const state = (uid: number, phase: string, own: object): V1Pod => ({
    metadata: { name: `train-${uid}`, uid: `${uid}` },
    status: { phase, containerStatuses: [{ name: 'trainer', state: own } as never] },
  });
  for (let done = 0; done < 30; done++) {
    const pods = Array.from({ length: 30 }, (_, uid) => {
      if (uid < done) return state(uid, 'Succeeded', { terminated: { exitCode: 0 } });
      if (uid === done) return state(uid, 'Running', { running: {} });
      return waiting(uid, `0/${3 + (done % 2)} nodes are available: ${3 + (done % 2)} Insufficient cpu.`);
    });
    t.mock.timers.tick(5000);
    assert.equal(await watchman.look({ ...job, status: { succeeded: done } }, pods), undefined);
  }
  assert.deepEqual(reporter.lines, [
    'train round 1     1 running, 29 waiting for a node',
    'train clients 4, 5, 6, 7, 8 and 21 more: not started after 15 s: 0/4 nodes are available: 4 Insufficient cpu (Unschedulable).',
  ]);
});

test('of many pods that fail in the same way, a few are told of', async (t) => {
  const play = playedPrograms(({ container, client }) =>
    container === 'trainer' ? { exitCode: 1, message: `/mnt/data/${client}.npz: broken.` } : undefined,
  );
  const cluster = await playedCluster(t, { play });
  const { settings } = runOptions(cluster);
  const federation = { ...settings.federation, clients: 20 };
  const { error, lines } = await runPlayed(cluster, {
    ...{ settings: { ...settings, federation }, quorum: { count: 1 }, tolerance: { retries: 0 } },
  });
  assert.equal(error?.exitCode, 4);
  assert.ok(lines.filter((line) => line.includes('broken')).length <= 5, lines.join('\n'));
});

test('logs that cannot be had, and a watch that is refused, are asked for less and less often', async (t) => {
  const refusal = { kind: 'refuse', code: 500, message: 'dial tcp 10.0.0.9:10250: i/o timeout' } as const;
  const asked = { log: 0, watch: 0 };
  let end = () => {};
  const until = new Promise<void>((done) => {
    end = done;
  });
  const usual = playedPrograms();
  const isTrainer = (pod: string | undefined) => pod?.includes('-train-') === true;
  const cluster = await playedCluster(t, {
    play: (pod, container) => ({
      ...{ exitCode: 0, ...usual(pod, container) },
      ...(isTrainer(pod.metadata.name) ? { until } : {}),
    }),
    fault: ({ subresource, name }) => {
      if (subresource !== 'log' || !isTrainer(name)) return undefined;
      asked.log++;
      return refusal;
    },
  });
  const running = runPlayed(cluster);
  const stop = new AbortController();
  await waitFor(() => asked.log === 5);
  const feed = startFeed(
    {
      list: async () => ({ items: [], version: '' }),
      watch: async () => {
        asked.watch++;
        throw Object.assign(new Error('refused'), { code: 500 });
      },
    },
    { onChange: () => undefined, signal: stop.signal },
  );
  // Four pods of one node, each of which was asked for a second after each refusal.
  await new Promise((over) => setTimeout(over, 2500));
  assert.ok(asked.log <= 7 && asked.watch <= 2, JSON.stringify(asked));
  assert.deepEqual(feed.items(), []);
  stop.abort();
  end();
  assert.ok((await running).result);
});

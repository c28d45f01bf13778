/** What a run tells of whatever keeps its pods from starting, how it gives up, and what of its work stays. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentReporter } from '../../lib/observability/events.js';
import { forMany } from '../../lib/system/abort.js';
import { type ClusterOptions, type FakeCluster, objectsOf } from '../../test/kube/cluster.js';
import { INDEX } from '../../test/kube/job-pods.js';
import type { KubeObject } from '../../test/kube/objects.js';
import { playedCluster, playedPrograms, runPlayed } from '../../test/kube/played-programs.js';
import { requireValid } from '../../test/results.js';
import { findCluster } from '../connection/connect.js';
import { clusterApi } from './cluster-api.js';
import type { KubeRunOptions } from './run.js';
import { describeJobs, jobsOfRuns } from './status.js';

/** As the kubelet words it; the pod's number differs from pod to pod. */
const noMount = ({ metadata }: KubeObject) => ({
  reason: 'FailedMount',
  message: `MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32\nMounting arguments: -t nfs 10.96.0.9:/ /var/lib/kubelet/pods/${metadata.uid}/volumes/nfs\nOutput: mount: bad option; you might need a /sbin/mount.<type> helper program.`,
});
const noSandbox = ({ metadata }: KubeObject) => ({
  reason: 'FailedCreatePodSandBox',
  message: `Failed to create pod sandbox: rpc error: failed to setup network for sandbox "${metadata.uid?.replaceAll('-', '')}": no free address`,
});

const stageOf = ({ metadata }: KubeObject) => metadata.labels?.['fedbatch.io/stage'];
const isTrainer = (pod: KubeObject, index: number) =>
  stageOf(pod) === 'train' && pod.metadata.annotations?.[INDEX] === `${index}`;
const trainers = (cluster: FakeCluster) =>
  objectsOf(cluster, 'Pod').filter((pod) => stageOf(pod) === 'train');
const trainJob = (cluster: FakeCluster) => objectsOf(cluster, 'Job').find((job) => stageOf(job) === 'train');

async function notesOf(cluster: FakeCluster): Promise<string> {
  const signal = forMany(new AbortController().signal);
  const api = await clusterApi(await findCluster({ kubeconfig: cluster.kubeconfig }), {
    signal,
    reporter: silentReporter,
  });
  const rows = await jobsOfRuns(api, undefined);
  requireValid('k8s-status', rows);
  return describeJobs(rows);
}

/** Each is told in one line for all pods before it ends the run with the next step, and shown by the status meanwhile. */
const cases: readonly {
  readonly name: string;
  readonly options: Partial<ClusterOptions>;
  readonly more?: Partial<KubeRunOptions>;
  readonly told: RegExp;
  readonly ending: RegExp;
}[] = [
  {
    name: 'FailedMount of the first pod',
    options: { hold: noMount },
    told: /^split: not started after \d+ s: MountVolume\.SetUp failed for volume "nfs" : .*pods\/…\/volumes\/nfs Output: .* \(FailedMount\)\.$/,
    ending:
      /^split: MountVolume\.SetUp .*\(FailedMount\)\. The Job \S+-start was deleted\. Next: .*nfs-common.*kubectl get events --field-selector involvedObject\.name=\S+-start-/,
  },
  {
    name: 'FailedCreatePodSandBox of all trainers',
    options: { hold: (pod) => (stageOf(pod) === 'train' ? noSandbox(pod) : undefined) },
    told: /^train clients 0, 1, 2, 3: not started after \d+ s: Failed to create .* sandbox "…": no free address \(FailedCreatePodSandBox\)\.$/,
    ending: /^train round 1: Failed to create pod sandbox.* Next: see to the network plugin/,
  },
  {
    name: 'a Job that a queue holds back',
    options: { suspends: (job) => stageOf(job) === 'init' },
    more: { queue: 'team-a' },
    told: /^init: not started after \d+ s: Kueue holds it back in the queue team-a: couldn't assign flavors to pod set main: insufficient quota for memory in flavor any \(Suspended\)\.$/,
    ending: /^init: Kueue holds it back .* Next: kubectl get workloads .*--schedule-timeout/,
  },
  {
    name: 'a quota that allows no pod',
    options: { refusesPod: () => true },
    told: /^split: not started after \d+ s: Error creating: pods .* exceeded quota: team.* \(FailedCreate\)\.$/,
    ending: /^split: Error creating: .*exceeded quota.* Next: ask for less, or have the quota/,
  },
  {
    name: 'pods of which nothing is told',
    options: { hold: () => ({ type: 'Normal', reason: 'Scheduled', message: 'Successfully assigned' }) },
    told: /^split: not started after \d+ s: its node node-1 does not start it, and tells no reason \(NoEvent\)\.$/,
    ending:
      /^split: its node node-1 does not start it.* Next: kubectl get events --field-selector involvedObject\.name=\S+-start-/,
  },
];
// Side by side: each has a cluster of its own, and waits for it most of the time.
describe('a run whose pods wait', { concurrency: 4 }, () => {
  for (const { name, options, more, told, ending } of cases) {
    test(`told once, and given up with the next step: ${name}`, async (t) => {
      const cluster = await playedCluster(t, options);
      const { error, lines } = await runPlayed(cluster, { scheduleTimeoutMs: 2000, ...more });
      assert.equal(error?.exitCode, 5, lines.join('\n'));
      assert.match(error?.message ?? '', ending);
      // On a slow machine other stages start late, too.
      const [, stage = ''] = /^\^(\w+)/.exec(told.source) ?? [];
      const waits = lines.filter((line) => line.startsWith(stage) && line.includes('not started after'));
      assert.equal(waits.length, 1, lines.join('\n'));
      assert.match(waits[0] ?? '', told);
      const open = objectsOf(cluster, 'Job').filter(({ status }) => status?.conditions === undefined);
      assert.deepEqual(open, []);
    });
  }

  test('the status tells what a run waits for, from the events of its pods and Jobs', async (t) => {
    const cluster = await playedCluster(t, {
      hold: (pod) => (stageOf(pod) === 'init' ? noMount(pod) : undefined),
    });
    const stop = new AbortController();
    const running = runPlayed(cluster, { scheduleTimeoutMs: 600_000 }, forMany(stop.signal));
    while (objectsOf(cluster, 'Event').length === 0) await new Promise((next) => setTimeout(next, 20));
    assert.match(
      await notesOf(cluster),
      /^\S+-init: MountVolume\.SetUp failed for volume "nfs" : mount failed/m,
    );
    stop.abort();
    await running;
  });

  test('an image that is being pulled may take longer than the timeout', async (t) => {
    let looks = 0;
    const cluster = await playedCluster(t, {
      hold: (pod) =>
        stageOf(pod) === 'init' && looks++ < 60
          ? { type: 'Normal', reason: 'Pulling', message: 'Pulling image "fedbatch/trainer:0.1.0"' }
          : undefined,
    });
    const { result, lines } = await runPlayed(cluster, { scheduleTimeoutMs: 2000 });
    assert.ok(result, lines.join('\n'));
    const told = lines.filter((line) => line.includes('Pulling image'));
    assert.match(
      told.join('\n'),
      /^init: not started after \d+ s: Pulling image "fedbatch\/trainer:0\.1\.0" \(Pulling\)\.$/,
    );
  });

  test('an image that cannot be pulled for one client ends no round that has begun: it is retried', async (t) => {
    let refused = 0;
    const cluster = await playedCluster(t, {
      hasImage: (_, pod) => !isTrainer(pod, 2) || ++refused > 8,
    });
    const { result, lines } = await runPlayed(cluster, { scheduleTimeoutMs: 60_000 });
    assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
    assert.ok(refused > 8);
  });

  test('a client that can never start is missing: the quorum decides, and what is done stays', async (t) => {
    const cluster = await playedCluster(t, { hasImage: (_, pod) => !isTrainer(pod, 2) });
    const more = { quorum: { count: 3 }, scheduleTimeoutMs: 2000 };
    const { result, lines } = await runPlayed(cluster, more);
    assert.deepEqual(
      result?.last.reported?.map(({ client }) => client),
      [0, 1, 3],
      lines.join('\n'),
    );
    assert.deepEqual(result?.last.missing, [
      {
        client: 2,
        reason: 'not started: the image fedbatch/trainer:0.1.0 cannot be pulled (ImagePullBackOff)',
      },
    ]);
    const [job, pods] = [trainJob(cluster), trainers(cluster)];
    assert.equal(job?.status.conditions[0].reason, 'DeadlineExceeded');
    assert.deepEqual(
      pods.map(({ status }) => status.phase),
      ['Succeeded', 'Succeeded', 'Succeeded'],
    );
    const notes = await notesOf(cluster);
    assert.match(notes, /^\S+-train: not started: the image \S+ cannot be pulled \(ImagePullBackOff\)$/m);
    // What is done is taken again as it is, with the same reason for who is missing.
    const again = await runPlayed(cluster, more);
    assert.deepEqual(again.result?.last.missing, result?.last.missing);
    assert.equal(trainJob(cluster)?.metadata.uid, job?.metadata.uid);
  });

  test('clients for which a quota leaves no pod are missing, too', async (t) => {
    const play = playedPrograms(({ container, client }) =>
      container === 'trainer' && client === 0 ? { exitCode: 3, message: 'no shard.' } : undefined,
    );
    const isMissing = (pod: KubeObject) => isTrainer(pod, 3);
    const cluster = await playedCluster(t, { play, refusesPod: isMissing });
    const { result, lines } = await runPlayed(cluster, { quorum: { count: 2 }, scheduleTimeoutMs: 2000 });
    const [first, second] = result?.last.missing ?? [];
    assert.deepEqual(first, { client: 0, reason: 'ended with exit code 3: no shard' }, lines.join('\n'));
    assert.match(
      second?.reason ?? '',
      /^not started: Error creating: pods .*exceeded quota.* \(FailedCreate\)$/,
    );
  });

  for (const { quorum, exitCode, message } of [
    {
      quorum: undefined,
      exitCode: 5,
      message:
        /^train client 2: not started: the image \S+ cannot be pulled \(ImagePullBackOff\)\. The Job \S+-train and what it has done stay; .*Next: build and push the images/,
    },
    {
      quorum: { count: 4 },
      exitCode: 4,
      message:
        /^Round 1 misses its quorum: .* client 2 \(not started: the image .*The Job \S+-train and what it has done stay; .*Next: build/,
    },
  ]) {
    test(`too few clients can start (exit ${exitCode}): the others' work stays, and the same command goes on with it`, async (t) => {
      let isBroken = true;
      const cluster = await playedCluster(t, { hasImage: (_, pod) => !(isBroken && isTrainer(pod, 2)) });
      const more = { scheduleTimeoutMs: 2000, ...(quorum === undefined ? {} : { quorum }) };
      const { error, lines } = await runPlayed(cluster, more);
      assert.equal(error?.exitCode, exitCode, lines.join('\n'));
      assert.match(error?.message ?? '', message);
      const done = trainers(cluster).filter(({ status }) => status.phase === 'Succeeded');
      assert.equal(done.length, 3);
      isBroken = false;
      const { result } = await runPlayed(cluster, more);
      assert.equal(result?.last.reported?.length, 4);
      const uids = trainers(cluster).map(({ metadata }) => metadata.uid);
      assert.deepEqual(
        done.filter(({ metadata }) => !uids.includes(metadata.uid)),
        [],
      );
    });
  }

  test('a Job that is deleted and does not go is told, and given up with the next step', async (t) => {
    const play = playedPrograms(({ container, attempt }) =>
      container === 'init' && attempt === 1 ? { exitCode: 3, message: 'no.' } : undefined,
    );
    const cluster = await playedCluster(t, { play, isLost: (pod) => stageOf(pod) === 'init' });
    assert.equal((await runPlayed(cluster)).error?.exitCode, 3);
    const { error, lines } = await runPlayed(cluster, { scheduleTimeoutMs: 2000 });
    assert.equal(error?.exitCode, 5);
    assert.match(
      error?.message ?? '',
      /-init: the Job was deleted \d+ s ago, and its pods do not end\. Next: kubectl get pods --selector/,
    );
    assert.equal(lines.filter((line) => /-init is deleted and not gone yet/.test(line)).length, 1);
  });

  test('a reason that comes up later in a Job is told, too', async (t) => {
    // How often the run has asked for events, after which it tells.
    let asked = 0;
    const usual = playedPrograms();
    const cluster = await playedCluster(t, {
      // While a pod works, nothing is given up.
      play: (pod, container) => ({
        exitCode: 0,
        ...usual(pod, container),
        ms: isTrainer(pod, 1) ? 4000 : 0,
      }),
      fault: ({ verb, resource }) => {
        if (verb === 'list' && resource === 'events') asked++;
        return undefined;
      },
      hold: (pod) => {
        if (!isTrainer(pod, 0) || asked >= 2) return undefined;
        return asked === 0 ? noSandbox(pod) : noMount(pod);
      },
    });
    const { result, lines } = await runPlayed(cluster, { scheduleTimeoutMs: 1000 });
    assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
    const told = lines.filter((line) => line.includes('not started after'));
    assert.match(told[0] ?? '', /^train client 0: .*\(FailedCreatePodSandBox\)/);
    assert.match(told[1] ?? '', /^train client 0: .*\(FailedMount\)/);
  });
});

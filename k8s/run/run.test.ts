/** What a run on a cluster does when things go wrong, against the API server of the tests; the programs are played. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { forMany } from '../../lib/system/abort.js';
import { type ClusterOptions, objectsOf } from '../../test/kube/cluster.js';
import { INDEX } from '../../test/kube/job-pods.js';
import {
  keepingReporter,
  playedCluster,
  playedPrograms,
  playedResult,
  runOptions,
  runPlayed,
} from '../../test/kube/played-programs.js';
import { kube } from '../../test/kube/runs.js';
import { requireValid } from '../../test/results.js';
import { waitFor } from '../../test/runs.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { findCluster } from '../connection/connect.js';
import type { KubernetesObject } from '../manifests/templates.js';
import { faultsOf } from '../testing/check-manifest.js';
import { fieldsOf129 } from '../testing/fields.js';
import type { KubeRunOptions } from './run.js';

/** Node's own complaints about this process: one of a leak is a fault of whichever test was run. */
const complaints: Error[] = [];
process.on('warning', (warning) => complaints.push(warning));
after(() => assert.deepEqual(complaints, []));

// Side by side: each has a cluster of its own, and waits for it most of the time.
describe('a run on a cluster where things go wrong', { concurrency: 4 }, () => {
  // First, since it takes longest.
  test('clients that are not done by the round deadline are late', async (t) => {
    const play = playedPrograms(({ container, client }) =>
      container === 'trainer' && client === 1 ? { exitCode: 0, ms: Number.POSITIVE_INFINITY } : undefined,
    );
    const tolerance = { retries: 0, deadlineSeconds: 12 };
    const { result } = await runPlayed(await playedCluster(t, { play }), {
      quorum: { share: 0.5 },
      tolerance,
    });
    assert.deepEqual(result?.last.missing, [{ client: 1, reason: 'late: not done within 12 s' }]);
  });

  test('a run makes Jobs that an API server takes, and none is changed when it is run again', async (t) => {
    const cluster = await playedCluster(t);
    const { result } = await runPlayed(cluster);
    assert.equal(result?.last.reported?.length, 4);
    const jobs = objectsOf(cluster, 'Job');
    assert.deepEqual(
      jobs.map(({ metadata }) => metadata.name.replace(/^digits-4x1-[0-9a-f]{8}-/, '')),
      ['end', 'init', 'r0001-aggregate', 'r0001-evaluate', 'r0001-train', 'start'],
    );
    const fields = fieldsOf129();
    assert.deepEqual(
      jobs.flatMap((job) => faultsOf(job as KubernetesObject, fields)),
      [],
    );
    const again = await runPlayed(cluster);
    assert.ok(again.lines.includes('round 1/1'), again.lines.join('\n'));
    const skipped = again.lines.filter((line) => line.endsWith('done before: skipped'));
    assert.equal(skipped.length, 4, again.lines.join('\n'));
    const uids = (list: typeof jobs) =>
      list.filter(({ metadata }) => !metadata.name.endsWith('-start')).map(({ metadata }) => metadata.uid);
    assert.deepEqual(uids(objectsOf(cluster, 'Job')), uids(jobs));
  });

  test('a killed trainer is retried', async (t) => {
    const reporter = keepingReporter();
    const isTold = () => reporter.lines.includes('train client 2: was killed (SIGKILL).');
    let isKilled = false;
    const cluster = await playedCluster(t, {
      play: playedPrograms(({ container, client, attempt }) => {
        if (container !== 'trainer' || client !== 2 || attempt > 1) return undefined;
        isKilled = true;
        return { exitCode: 137 };
      }),
      // The second attempt begins once the end of the first is told: what is told while the Job runs is not told later.
      hold: ({ metadata }) =>
        isKilled && metadata.annotations?.[INDEX] === '2' && !isTold()
          ? { type: 'Normal', reason: 'Pulling', message: 'Pulling image' }
          : undefined,
    });
    const { result } = await runPlayed(cluster, {}, undefined, reporter);
    assert.equal(result?.last.reported?.length, 4);
    assert.ok(isTold());
  });

  test('a Job that is done is not judged by what its pods were before', async (t) => {
    const play = playedPrograms(({ container, client, attempt }) =>
      container === 'trainer' && client === 2 && attempt === 1 ? { exitCode: 137 } : undefined,
    );
    const fault: ClusterOptions['fault'] = ({ verb, resource }) =>
      verb === 'watch' && resource === 'pods' ? { kind: 'lag', ms: 1000 } : undefined;
    const { result, lines } = await runPlayed(await playedCluster(t, { play, fault }));
    assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
  });

  test('clients that fail for good are missing, with the reason, as long as the quorum holds', async (t) => {
    const play = playedPrograms(({ container, client }) => {
      if (container !== 'trainer') return undefined;
      if (client === 1) return { exitCode: 137, reason: 'OOMKilled' };
      return client === 3
        ? { exitCode: 3, message: '/mnt/data/3.npz: expected a shard, found no such file.' }
        : undefined;
    });
    const cluster = await playedCluster(t, { play });
    const { result } = await runPlayed(cluster, { quorum: { count: 2 } });
    assert.deepEqual(result?.last.missing, [
      {
        client: 1,
        reason: 'ran out of memory (OOMKilled): give trainers more with --set TRAINER_MEMORY=4Gi',
      },
      { client: 3, reason: 'ended with exit code 3: /mnt/data/3.npz: expected a shard, found no such file' },
    ]);
    const missed = await runPlayed(await playedCluster(t, { play }), { quorum: { count: 3 } });
    assert.equal(missed.error?.exitCode, 4);
    assert.match(
      missed.error?.message ?? '',
      /^Round 1 misses its quorum: 3 of 4 .* client 1 \(ran out of memory/,
    );
  });

  test('of the clients of a pod, the one that fails is missing, or ends the run; the same command trains them again', async (t) => {
    let isBroken = true;
    const reason = 'ended with exit code 3: /mnt/data/1.npz: expected a shard, found nothing';
    const play = playedPrograms(({ container, client: first }) => {
      if (container !== 'trainer') return undefined;
      const clients = [first, first + 1].map((client) =>
        isBroken && client === 1
          ? { client, reason, exitCode: 3 }
          : { client, result: playedResult('trainer', { round: 1, client, attempt: 1 }) },
      );
      return { exitCode: 0, message: JSON.stringify({ clients }) };
    });
    const together = { clientsPerPod: 2, isolates: false };
    const some = await runPlayed(await playedCluster(t, { play }), { ...together, quorum: { count: 3 } });
    assert.deepEqual(some.result?.last.missing, [{ client: 1, reason }]);
    assert.deepEqual(
      some.result?.last.reported?.map(({ client }) => client),
      [0, 2, 3],
    );
    const cluster = await playedCluster(t, { play });
    const { error } = await runPlayed(cluster, together);
    assert.equal(error?.exitCode, 3);
    assert.equal(error?.message, `train client 1: ${reason}.`);
    isBroken = false;
    const again = await runPlayed(cluster, together);
    assert.equal(again.result?.last.reported?.length, 4, again.error?.message);
    const trainers = objectsOf(cluster, 'Job').find(({ metadata }) => metadata.name.endsWith('-train'));
    assert.equal(trainers?.spec.completions, 2);
  });

  test('without a quorum the first client that fails ends the run with its exit code; run again, it is made anew', async (t) => {
    let isBroken = true;
    const play = playedPrograms(({ container, client }) =>
      isBroken && container === 'trainer' && client === 0
        ? { exitCode: 3, message: '/mnt/data/0.npz: expected a shard, found nothing.' }
        : undefined,
    );
    const cluster = await playedCluster(t, { play });
    const { error } = await runPlayed(cluster);
    assert.equal(error?.exitCode, 3);
    assert.equal(
      error?.message,
      'train client 0: ended with exit code 3: /mnt/data/0.npz: expected a shard, found nothing.',
    );
    const { failure } = factsOf(cluster, 'failed');
    const next = 'Mend the file, or the disk, that the reason names; the same command resumes from here.';
    const reason = error?.message;
    assert.deepEqual(failure, { stage: 'train', round: 1, client: 0, exitCode: 3, reason, next });
    assert.ok(!objectsOf(cluster, 'Job').some(({ metadata }) => metadata.name.endsWith('-failed')));
    isBroken = false;
    const { result, lines } = await runPlayed(cluster);
    assert.equal(result?.last.reported?.length, 4);
    assert.ok(
      lines.some((line) => /r0001-train of an earlier attempt has failed \(\w+\): made anew/.test(line)),
      lines.join('\n'),
    );
  });

  test('updates that are no longer what their pods reported fail the round; run again, the clients train anew', async (t) => {
    let isWrittenOver = true;
    const reason = 'Expected at least 4 good client updates, found 3 (1 rejected)';
    const play = playedPrograms(({ container }) =>
      isWrittenOver && container === 'aggregator' ? { exitCode: 4, message: reason } : undefined,
    );
    const cluster = await playedCluster(t, { play });
    const jobs = (stage: string) =>
      objectsOf(cluster, 'Job').filter(({ metadata }) => metadata.name.endsWith(stage));
    const { error } = await runPlayed(cluster);
    assert.deepEqual([error?.exitCode, error?.message.includes(reason)], [4, true], error?.message);
    assert.deepEqual([jobs('-train').length, jobs('-init').length], [0, 1]);
    isWrittenOver = false;
    const { result } = await runPlayed(cluster);
    assert.equal(result?.last.reported?.length, 4);
    assert.equal(jobs('-train').length, 1);
  });

  test('of clients that are missing since another one failed, the one that failed is named', async (t) => {
    const play = playedPrograms(({ container, client }) => {
      if (container !== 'trainer') return undefined;
      return client === 3
        ? { exitCode: 3, message: '/mnt/data/3.npz: expected a shard, found nothing.' }
        : { exitCode: 0, ms: Number.POSITIVE_INFINITY };
    });
    const { error } = await runPlayed(await playedCluster(t, { play }));
    assert.equal(error?.exitCode, 3);
    assert.match(error?.message ?? '', /^train client 3: ended with exit code 3: .*found nothing\.$/);
  });

  /** What the recorder of a stage is given. */
  function factsOf(
    cluster: Awaited<ReturnType<typeof playedCluster>>,
    stage: string,
  ): Record<string, unknown> {
    const map = objectsOf(cluster, 'ConfigMap').find(({ metadata }) => metadata.name.endsWith(`-${stage}`));
    return JSON.parse(map?.data['facts.json'] ?? '{}') as Record<string, unknown>;
  }

  test('bad data end a run before its volume is opened; a split that fails, and a missed accuracy, are on record', async (t) => {
    const failing = (broken: string) =>
      playedPrograms(({ container }) =>
        container === broken ? { exitCode: 3, message: '/mnt/mine.npz: expected a dataset.' } : undefined,
      );
    const data = await playedCluster(t, { play: failing('check') });
    const { error } = await runPlayed(data);
    assert.equal(error?.exitCode, 3);
    assert.match(error?.message ?? '', /^split \(check\): .*mine\.npz: expected a dataset\.$/);
    assert.deepEqual(factsOf(data, 'failed'), {});
    const split = await playedCluster(t, { play: failing('splitter') });
    assert.equal((await runPlayed(split)).error?.exitCode, 3);
    assert.equal((factsOf(split, 'failed').failure as { stage?: string }).stage, 'split');
    const low = await playedCluster(t);
    await runPlayed(low, { minAccuracy: 0.99 });
    const { failure } = factsOf(low, 'end') as { failure?: Record<string, unknown> };
    assert.deepEqual([failure?.stage, failure?.exitCode], ['evaluate', 4]);
    assert.equal(failure?.reason, 'The accuracy 0.81 is below the required 0.99.');
  });

  test('what keeps pods from starting ends the run with the next step, and leaves no Job behind', async (t) => {
    const cases: readonly (readonly [Partial<ClusterOptions>, Partial<KubeRunOptions>, RegExp])[] = [
      [
        { hasImage: (image) => !image.includes('trainer') },
        {},
        /^init: the image fedbatch\/trainer:\S+ cannot be pulled \(ErrImagePull\)\. .*--image-prefix/,
      ],
      [
        {},
        { values: { WORKER_NUMBER: '4', EPOCH: '1', BATCH: '20', GPU: '1' } },
        /^train round 1: .*Insufficient nvidia\.com\/gpu.*Next: no node has a free GPU/,
      ],
      [
        { claims: [], brokenStorageClasses: ['slow'] },
        { values: { WORKER_NUMBER: '4', EPOCH: '1', BATCH: '20', STORAGE_CLASS: 'slow' } },
        /^split: .*unbound immediate PersistentVolumeClaims.*Next: kubectl describe pvc fedbatch --namespace team .*kubectl delete pvc fedbatch --namespace team and .*--storage-class/,
      ],
    ];
    for (const [options, more, message] of cases) {
      const cluster = await playedCluster(t, options);
      const { error } = await runPlayed(cluster, { scheduleTimeoutMs: 2000, ...more });
      assert.equal(error?.exitCode, 5, String(message));
      assert.match(error?.message ?? '', message);
      const open = objectsOf(cluster, 'Job').filter(({ status }) => status?.conditions === undefined);
      assert.deepEqual(open, []);
    }
  });

  test('no claim, no right, no kubeconfig: each is told before anything is made', async (t) => {
    const cluster = await playedCluster(t, { claims: [] });
    const { error } = await runPlayed(cluster);
    assert.equal(error?.exitCode, 2);
    assert.match(error?.message ?? '', /^There is no claim fedbatch in the namespace team .*--storage-class/);
    const role = '{kind: Role, rules: [{apiGroups: [batch], resources: [jobs], verbs: [get, list]}]}';
    const refused = await runPlayed(await playedCluster(t, { role }));
    assert.equal(refused.error?.exitCode, 2);
    assert.match(
      refused.error?.message ?? '',
      /watch, create, patch, delete jobs\.batch; list, watch pods; get pods\/log; .*events\. .*0-rbac\.yaml/,
    );
    const none = join(await temporaryDirectory(t), 'none');
    await assert.rejects(findCluster({ kubeconfig: none }), /^UsageError: The kubeconfig \S+ does not exist/);
    writeFileSync(none, 'contexts: []\nclusters: []\nusers: []\n');
    await assert.rejects(findCluster({ kubeconfig: none }), /has no current context/);
  });

  test('watches that are cut off, 410 Gone and 429 delay a run and do not end it', async (t) => {
    let requests = 0;
    const cluster = await playedCluster(t, {
      play: playedPrograms(({ container }) =>
        container === 'trainer' ? { exitCode: 0, ms: 700 } : undefined,
      ),
      fault: ({ verb }) => {
        requests++;
        if (verb === 'watch') return requests % 2 === 0 ? { kind: 'drop' } : { kind: 'cut', afterMs: 100 };
        return requests % 5 === 0 ? { kind: 'refuse', code: 429, retryAfterSeconds: 0 } : undefined;
      },
    });
    const compacting = setInterval(() => cluster.store.compact(), 50);
    t.after(() => clearInterval(compacting));
    const { error, lines } = await runPlayed(cluster);
    // The played trainers left no result: that is how far the run came.
    assert.match(
      error?.message ?? '',
      /the container trainer ended well, but its result was not understood/,
      lines.join('\n'),
    );
  });

  test('a run that is interrupted leaves its Jobs to go on, and the same command waits for them', async (t) => {
    let isSlow = true;
    const play = playedPrograms(({ container }) =>
      container === 'trainer' && isSlow ? { exitCode: 137, ms: Number.POSITIVE_INFINITY } : undefined,
    );
    const cluster = await playedCluster(t, { play });
    const stop = new AbortController();
    const running = runPlayed(cluster, {}, forMany(stop.signal));
    const trainers = () =>
      objectsOf(cluster, 'Pod').filter(
        ({ metadata, status }) => metadata.name.includes('-train-') && status?.phase === 'Running',
      );
    await waitFor(() => trainers().length === 4);
    stop.abort();
    const { error } = await running;
    assert.equal(error?.exitCode, 130);
    assert.match(
      error?.message ?? '',
      /the same command waits for it again, and npx fedbatch k8s delete --run digits-4x1-\w+ ends it/,
    );
    assert.equal(trainers().length, 4);
    const { failure } = factsOf(cluster, 'failed') as { failure?: Record<string, unknown> };
    assert.deepEqual([failure?.stage, failure?.round, failure?.exitCode], ['train', 1, 130]);
    assert.equal(failure?.reason, error?.message);
    const recording = () =>
      objectsOf(cluster, 'Job').filter(({ metadata }) => metadata.name.endsWith('-failed'));
    assert.equal(recording().length, 1);
    isSlow = false;
    const [before] = objectsOf(cluster, 'Job').filter(({ metadata }) => metadata.name.endsWith('-train'));
    const again = runPlayed(cluster);
    // The pods that were at work go on; here they are deleted, and their Job makes others.
    for (const pod of trainers()) cluster.kubelet.deletePod(pod);
    assert.equal((await again).result?.last.reported?.length, 4);
    const [after] = objectsOf(cluster, 'Job').filter(({ metadata }) => metadata.name.endsWith('-train'));
    assert.equal(after?.metadata.uid, before?.metadata.uid);
    assert.deepEqual(
      recording(),
      [],
      'what may not be done yet must not come onto the record of a run that goes on',
    );
  });

  test('a Job of other work that runs under the same name is left alone', async (t) => {
    const play = playedPrograms(({ container }) =>
      container === 'trainer' ? { exitCode: 0, ms: Number.POSITIVE_INFINITY } : undefined,
    );
    const cluster = await playedCluster(t, { play });
    const stop = new AbortController();
    const running = runPlayed(cluster, {}, forMany(stop.signal));
    await waitFor(
      () => objectsOf(cluster, 'Pod').filter(({ status }) => status?.phase === 'Running').length === 4,
    );
    stop.abort();
    await running;
    const { error } = await runPlayed(cluster, { threads: 2 });
    assert.equal(error?.exitCode, 2);
    assert.match(
      error?.message ?? '',
      /-r0001-train runs already, with other settings, images or resources: .*k8s delete --run/,
    );
  });

  test('with cleanup nothing of the run stays in the cluster', async (t) => {
    const cluster = await playedCluster(t);
    const { result } = await runPlayed(cluster, { cleansUp: true });
    assert.ok(result);
    for (const kind of ['Job', 'Pod', 'ConfigMap']) assert.deepEqual(objectsOf(cluster, kind), []);
    const { stdout } = await kube(cluster, ['delete', '--run', 'digits-4x1-0a1b2c3d']);
    requireValid('k8s-deleted', JSON.parse(stdout));
  });

  test('on a volume that is new or cleared, Jobs of before do not count', async (t) => {
    const play = playedPrograms(({ container }) =>
      container === 'record-open' ? { exitCode: 0, message: '{"resumed":false,"rounds":[]}' } : undefined,
    );
    const cluster = await playedCluster(t, { play });
    const uids = () => objectsOf(cluster, 'Job').map(({ metadata }) => metadata.uid);
    await runPlayed(cluster);
    const before = uids();
    const { result } = await runPlayed(cluster);
    assert.ok(result);
    assert.deepEqual(
      uids().filter((uid) => before.includes(uid)),
      [],
    );
  });

  test('a round of sixty clients leaves no listener behind, and Node sees no leak', async (t) => {
    const cluster = await playedCluster(t);
    const { settings } = runOptions(cluster);
    const federation = { ...settings.federation, clients: 60 };
    const signal = forMany(new AbortController().signal);
    const { result, lines } = await runPlayed(cluster, { settings: { ...settings, federation } }, signal);
    assert.equal(result?.last.reported?.length, 60, lines.join('\n'));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.deepEqual(complaints, []);
  });
});

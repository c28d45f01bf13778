/** The same command again, against the API server of the tests: what is at work is waited for, what is done is kept. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { forMany } from '../../lib/system/abort.js';
import { hashOfSelected } from '../../pipeline/rounds/outcomes.js';
import { type ClusterOptions, type FakeCluster, objectsOf } from '../../test/kube/cluster.js';
import {
  keepingReporter,
  playedCluster,
  playedPrograms,
  runOptions,
  runPlayed,
} from '../../test/kube/played-programs.js';
import { waitFor } from '../../test/runs.js';
import type { KubeRunOptions } from './run.js';

const SHORT = { scheduleTimeoutMs: 2000 };
const isOf = (stage: string) => (object: { metadata: { labels?: Record<string, string> } }) =>
  object.metadata.labels?.['fedbatch.io/stage'] === stage;
const jobOf = (cluster: FakeCluster, stage: string) => objectsOf(cluster, 'Job').find(isOf(stage));

/** A cluster whose trainers work until they are told to end; one run was interrupted when all of them did. */
async function interruptedAtWork(t: TestContext, options: Partial<ClusterOptions> = {}) {
  let end = () => {};
  const until = new Promise<void>((done) => {
    end = done;
  });
  const usual = playedPrograms();
  const cluster = await playedCluster(t, {
    play: (pod, container) => {
      const played = { exitCode: 0, ...usual(pod, container) };
      return container === 'trainer' ? { ...played, until } : played;
    },
    ...options,
  });
  const stop = new AbortController();
  const running = runPlayed(cluster, {}, forMany(stop.signal));
  const isWorking = isOf('train');
  const atWork = () =>
    objectsOf(cluster, 'Pod').filter((pod) => isWorking(pod) && pod.status?.phase === 'Running').length;
  await waitFor(() => atWork() === 4);
  stop.abort();
  await running;
  return { cluster, end, atWork };
}

/** A run again, which is told to wait for room long enough that it would have given up. */
async function runWaiting(
  { cluster, end }: Awaited<ReturnType<typeof interruptedAtWork>>,
  { words, more = {} }: { readonly words: RegExp; readonly more?: Partial<KubeRunOptions> },
) {
  const reporter = keepingReporter();
  const running = runPlayed(cluster, { ...SHORT, ...more }, undefined, reporter);
  await waitFor(() => reporter.lines.some((line) => words.test(line)));
  await new Promise((over) => setTimeout(over, 2.2 * SHORT.scheduleTimeoutMs));
  end();
  return running;
}

// Side by side: each has a cluster of its own, and waits for it most of the time.
describe('the same command again', { concurrency: 4 }, () => {
  test('a run whose own trainers hold all room waits for them, whatever keeps its next pod out', async (t) => {
    let isFull = false;
    const full: Partial<ClusterOptions>[] = [
      { places: 4 },
      { refusesPod: (pod) => isFull && isOf('start')(pod) },
      { suspends: (job) => isFull && isOf('start')(job) },
    ];
    const clusters = await Promise.all(full.map((options) => interruptedAtWork(t, options)));
    isFull = true;
    const ended = clusters.map(async (each) => {
      const words = /^split: not started after .*; waiting until other pods of this run make room \(\w+\)\.$/;
      const running = runWaiting(each, { words, more: { queue: 'team-a' } });
      await waitFor(() => each.atWork() === 0);
      isFull = false;
      const { result, lines } = await running;
      assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
      const waits = lines.filter((line) => line.startsWith('split: not started after'));
      assert.equal(waits.length, 1, lines.join('\n'));
      // Its deadline is for its work.
      assert.ok(jobOf(each.cluster, 'start')?.spec.activeDeadlineSeconds > 3600);
    });
    await Promise.all(ended);
  });

  test('the trials of a sweep wait for each other; a run does not wait for another one', async (t) => {
    const first = await interruptedAtWork(t, { places: 4 });
    const [run = ''] = objectsOf(first.cluster, 'Job').map(
      ({ metadata }) => metadata.labels?.['fedbatch.io/run'],
    );
    const settings = { ...runOptions(first.cluster).settings, seed: 1 };
    const alone = await runPlayed(first.cluster, { ...SHORT, settings });
    assert.equal(alone.error?.exitCode, 5);
    assert.match(alone.error?.message ?? '', /^split: .*Insufficient cpu.* Next: add nodes/);
    const words = /waiting until other pods of this sweep make room/;
    const more = { settings, siblings: new Set([run]) };
    const { result, lines } = await runWaiting(first, { words, more });
    assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
  });

  test('finished work stays where only its limits, its room or who watches it changes', async (t) => {
    const cluster = await playedCluster(t);
    await runPlayed(cluster);
    const uids = () =>
      objectsOf(cluster, 'Job')
        .filter((job) => !isOf('start')(job))
        .map(({ metadata }) => metadata.uid);
    const before = uids();
    assert.equal(before.length, 5);
    const { values } = runOptions(cluster);
    const again = await runPlayed(cluster, {
      tolerance: { retries: 3, deadlineSeconds: 600 },
      values: {
        ...values,
        ...{
          TRAINER_MEMORY: '3Gi',
          TTL_SECONDS: '600',
          METRICS_PORT: '9464',
          PUSHGATEWAY: 'http://push:9091',
        },
      },
    });
    assert.ok(again.lines.includes('round 1/1'), again.lines.join('\n'));
    assert.deepEqual(uids(), before);
    // As many as are asked for now are there; other images are other work.
    const train = () => jobOf(cluster, 'train')?.metadata.uid;
    const trained = train();
    assert.ok((await runPlayed(cluster, { quorum: { count: 3 } })).result);
    assert.equal(train(), trained);
    await runPlayed(cluster, { values: { ...values, TRAINER_IMAGE: 'fedbatch/trainer:2' } });
    assert.notEqual(train(), trained);
  });

  /** What the recorder finds of a round of these clients. */
  const openedWith = (selected: readonly number[]) => {
    const made = sha256('made');
    const aggregate = { inputs: sha256('inputs'), updates: 4, examples: 400, sha256: made, seconds: 1 };
    const evaluation = {
      model: made,
      test: sha256('test'),
      examples: 40,
      loss: 0.5,
      accuracy: 0.5,
      seconds: 1,
    };
    const round = { round: 1, parent: sha256('initial'), rejected: [], missing: [], aggregate, evaluation };
    const rounds = [{ ...round, selected: hashOfSelected(selected) }];
    return { exitCode: 0, message: JSON.stringify({ resumed: true, initial: round.parent, rounds }) };
  };
  const skippedStages = (lines: readonly string[]) =>
    lines.filter((line) => line.endsWith('done before: skipped')).map((line) => line.split(' ')[0]);
  const split = { shards: 4, examples: 400, test: 40, seconds: 1, savedir: '/mnt/data' };
  const splitAs = (skipped: boolean) => ({ exitCode: 0, message: JSON.stringify({ ...split, skipped }) });

  test('a round on the volume is done where its clients are those of this run, and not in part', async (t) => {
    const stages = async (clients: readonly number[]) => {
      const play = playedPrograms(({ container }) => {
        if (container === 'splitter') return splitAs(true);
        return container === 'record-open' ? openedWith(clients) : undefined;
      });
      const { result, lines } = await runPlayed(await playedCluster(t, { play }));
      assert.ok(result, lines.join('\n'));
      return skippedStages(lines);
    };
    assert.deepEqual(await stages([0, 1, 2, 3]), ['split', 'init', 'train', 'aggregate', 'evaluate']);
    assert.deepEqual(await stages([0, 1, 2]), ['split', 'init']);
  });

  test('rounds on a volume that is split anew are looked at once it is', async (t) => {
    // The first look finds no manifest.
    const play = playedPrograms(({ container, attempt }) => {
      if (container === 'splitter') return splitAs(attempt > 1);
      if (container !== 'record-open') return undefined;
      const message = JSON.stringify({ resumed: true, initial: sha256('initial'), rounds: [] });
      return attempt > 1 ? openedWith([0, 1, 2, 3]) : { exitCode: 0, message };
    });
    const { result, lines } = await runPlayed(await playedCluster(t, { play }));
    assert.ok(result, lines.join('\n'));
    assert.deepEqual(skippedStages(lines), ['split', 'init', 'train', 'aggregate', 'evaluate']);
  });

  test('a Job at work is taken with the limits that it has, and never with other resources', async (t) => {
    const { cluster, end } = await interruptedAtWork(t);
    const { values } = runOptions(cluster);
    const other = await runPlayed(cluster, { values: { ...values, TRAINER_MEMORY: '3Gi' } });
    assert.equal(other.error?.exitCode, 2);
    assert.match(
      other.error?.message ?? '',
      /-train runs already, with other settings, images or resources: /,
    );
    const reporter = keepingReporter();
    const running = runPlayed(cluster, { tolerance: { retries: 3 } }, undefined, reporter);
    const found =
      /-train of an earlier attempt runs: waiting for it\. It was made with another --retries, which stays\.$/;
    await waitFor(() => reporter.lines.some((line) => found.test(line)));
    end();
    const { result, lines } = await running;
    assert.equal(result?.last.reported?.length, 4, lines.join('\n'));
    const trained = lines.filter((line) => line.startsWith('train '));
    assert.match(trained.at(-1) ?? '', /round 1: 4 of 4 clients reported {2}\d/, 'it was not done before');
  });
});

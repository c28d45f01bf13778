/** Pods that are deleted once they have ended, as by a node that is drained: what they have done counts, or is told as it is. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Quorum } from '../../lib/federation/quorum.js';
import { type FakeCluster, objectsOf } from '../../test/kube/cluster.js';
import { INDEX } from '../../test/kube/job-pods.js';
import type { KubeObject } from '../../test/kube/objects.js';
import { playedCluster, playedPrograms, runPlayed } from '../../test/kube/played-programs.js';
import type { Played } from '../../test/kube/run-container.js';
import { waitFor } from '../../test/runs.js';

const isTrain = ({ metadata }: KubeObject) => metadata.labels?.['fedbatch.io/stage'] === 'train';

/** The pod that trains client 0. */
const firstOf = (cluster: FakeCluster) =>
  objectsOf(cluster, 'Pod').find((pod) => isTrain(pod) && pod.metadata.annotations?.[INDEX] === '0');

/** Whether the run has seen that pod at work: it follows its log. */
const isFollowed = (cluster: FakeCluster) =>
  cluster.api.accesses.some(
    (each) => each.subresource === 'log' && each.name === firstOf(cluster)?.metadata.name,
  );

/** A run in whose round client 0's pod ends, is counted and deleted before the others end; `isSeen` while it is there. */
async function runWithoutFirst(
  t: TestContext,
  {
    ends,
    quorum,
    isSeen = true,
  }: { readonly ends?: Played; readonly quorum?: Quorum; readonly isSeen?: boolean },
) {
  let goOn = () => {};
  let isGone = false;
  const until = new Promise<void>((done) => {
    goOn = done;
  });
  const usual = playedPrograms();
  const cluster = await playedCluster(t, {
    play(pod, container) {
      const played = { exitCode: 0, ...usual(pod, container) };
      if (container !== 'trainer') return played;
      return pod.metadata.annotations?.[INDEX] === '0' ? { ...played, ...ends } : { ...played, until };
    },
    fault({ verb, resource }) {
      const isBlind = !isSeen && !isGone && resource === 'pods' && ['list', 'watch'].includes(verb);
      if (!isBlind || !objectsOf(cluster, 'Job').some(isTrain)) return undefined;
      return { kind: 'refuse', code: 429, retryAfterSeconds: 1 };
    },
  });
  const running = runPlayed(cluster, quorum === undefined ? {} : { quorum });
  const first = () => firstOf(cluster);
  await waitFor(() => {
    const { completedIndexes, failedIndexes } = objectsOf(cluster, 'Job').find(isTrain)?.status ?? {};
    return completedIndexes === '0' || failedIndexes === '0';
  });
  await waitFor(() => !isSeen || isFollowed(cluster));
  cluster.kubelet.deletePod(first() as KubeObject);
  await waitFor(() => first() === undefined);
  isGone = true;
  goOn();
  return { cluster, ...(await running) };
}

// Side by side: each has a cluster of its own, and waits for it most of the time.
describe('a pod that is gone while its Job still runs', { concurrency: 4 }, () => {
  test('has reported, where it had succeeded', async (t) => {
    const { result, lines } = await runWithoutFirst(t, {});
    const clients = result?.last.reported?.map(({ client }) => client);
    assert.deepEqual([clients, result?.last.missing], [[0, 1, 2, 3], []], lines.join('\n'));
  });

  test('has failed by what it was last seen to fail by', async (t) => {
    const ends = { exitCode: 3, message: 'found no shard.' };
    const { result, lines } = await runWithoutFirst(t, { ends, quorum: { count: 3 } });
    const missing = [{ client: 0, reason: 'ended with exit code 3: found no shard' }];
    assert.deepEqual(result?.last.missing, missing, lines.join('\n'));
  });

  test('is told as lost where nobody saw it end, and a run that needs it does its work again', async (t) => {
    const lost = 'its result is lost: its pod was deleted before it was read';
    const { result, lines } = await runWithoutFirst(t, { isSeen: false, quorum: { count: 3 } });
    assert.deepEqual(result?.last.missing, [{ client: 0, reason: lost }], lines.join('\n'));
    const { cluster, error } = await runWithoutFirst(t, { isSeen: false });
    assert.deepEqual([error?.exitCode, error?.message], [5, `train client 0: ${lost}.`]);
    const again = await runPlayed(cluster);
    assert.equal(again.result?.last.reported?.length, 4, again.lines.join('\n'));
  });

  test('is told as failed where it failed and nobody saw it', async (t) => {
    const ends = { exitCode: 3, message: 'found no shard.' };
    const { result, lines } = await runWithoutFirst(t, { ends, isSeen: false, quorum: { count: 3 } });
    const reason = 'it failed, and its pod was deleted before the reason was read';
    assert.deepEqual(result?.last.missing, [{ client: 0, reason }], lines.join('\n'));
  });

  test('was stopped, where another one has ended their Job', async (t) => {
    let goOn = () => {};
    const until = new Promise<void>((done) => {
      goOn = done;
    });
    const cluster = await playedCluster(t, {
      play: playedPrograms(({ container, client }) => {
        if (container !== 'trainer') return undefined;
        return client > 1
          ? { exitCode: 3, message: 'no.', until }
          : { exitCode: 0, ms: Number.POSITIVE_INFINITY };
      }),
    });
    const running = runPlayed(cluster, { quorum: { count: 3 } });
    await waitFor(() => isFollowed(cluster));
    goOn();
    const { error } = await running;
    assert.equal(error?.exitCode, 4);
    assert.match(error?.message ?? '', /client 0 \(stopped: the Job had failed before\)/);
  });
});

/** Logs are followed to their end over connections that die or are cut off, each line once, and no listener stays behind. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { appendFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { silentReporter } from '../../lib/observability/events.js';
import { forMany } from '../../lib/system/abort.js';
import type { ClusterOptions } from '../../test/kube/cluster.js';
import { playedCluster } from '../../test/kube/played-programs.js';
import { waitFor } from '../../test/runs.js';
import { findCluster } from '../connection/connect.js';
import { clusterApi } from './cluster-api.js';
import { followLog } from './follow-log.js';

const pod = 'p';
const container = 'trainer';

/** A container that has written two lines and works until it is ended, and the cluster that it runs in. */
async function startContainer(t: TestContext, fault?: ClusterOptions['fault']) {
  let end = () => {};
  const until = new Promise<void>((done) => {
    end = done;
  });
  const log = 'one\ntwo\n';
  const cluster = await playedCluster(t, {
    play: () => ({ exitCode: 0, log, until }),
    ...(fault === undefined ? {} : { fault }),
  });
  const image = 'fedbatch/trainer:0';
  const object = cluster.store.create({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace: 'team' } },
    ...{ spec: { containers: [{ name: container, image }] }, status: { phase: 'Pending' } },
  });
  const found = () => cluster.kubelet.log(object, container);
  await waitFor(() => found() !== undefined);
  const write = (line: string) => appendFileSync(found()?.path ?? '', `${line}\n`);
  const signal = forMany(new AbortController().signal);
  const connection = await findCluster({ kubeconfig: cluster.kubeconfig });
  return { api: await clusterApi(connection, { signal, reporter: silentReporter }), write, end };
}

/** The first connection goes wrong by `fault`; what is written then is told by another one. */
async function readThrough(
  t: TestContext,
  fault: ReturnType<NonNullable<ClusterOptions['fault']>>,
  options: { readonly quietMs?: number; readonly waitAfter?: () => number },
): Promise<readonly string[]> {
  let asked = 0;
  const { api, write, end } = await startContainer(t, ({ subresource }) =>
    subresource === 'log' && asked++ === 0 ? fault : undefined,
  );
  const lines: string[] = [];
  const { signal } = new AbortController();
  const onLine = (line: string) => void lines.push(line);
  const following = followLog(api, { pod, container, onLine, signal, ...options });
  await waitFor(() => asked > 1, 20_000);
  write('three');
  await waitFor(() => lines.includes('three'), 20_000);
  end();
  await following;
  return lines;
}

describe('a log that is followed', { concurrency: 4 }, () => {
  test('goes on by another connection where one dies without a word', async (t) => {
    const lines = await readThrough(t, { kind: 'stall', afterMs: 300 }, { quietMs: 1_000 });
    assert.deepEqual(lines, ['one', 'two', 'three']);
  });

  test('goes on where it was cut off', async (t) => {
    const lines = await readThrough(t, { kind: 'cut', afterMs: 300 }, { waitAfter: () => 0 });
    assert.deepEqual(lines, ['one', 'two', 'three']);
  });

  test('ends with the refusal where the server refuses it for good', async (t) => {
    const { api } = await startContainer(t, ({ subresource }) =>
      subresource === 'log' ? { kind: 'refuse', code: 403 } : undefined,
    );
    const { signal } = new AbortController();
    const onLine = () => assert.fail('nothing is there');
    await assert.rejects(followLog(api, { pod, container, onLine, signal }), { code: 403 });
  });

  test('leaves no listener behind, however many follow each other under one signal', async (t) => {
    const { api, end } = await startContainer(t);
    end();
    const { signal } = new AbortController();
    const atATime = 8;
    let most = 0;
    let left = 400;
    const follower = async () => {
      while (left-- > 0) {
        await followLog(api, { pod, container, onLine: () => undefined, signal });
        most = Math.max(most, getEventListeners(signal, 'abort').length);
      }
    };
    await Promise.all(Array.from({ length: atATime }, follower));
    assert.ok(most < atATime, `${most} listeners`);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});

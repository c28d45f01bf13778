import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { readFileShared, sha256 } from '../../lib/formats/files/read-file.js';
import { writeRecord } from '../../lib/formats/run-record.js';
import { HttpProblem, OverloadedError, PredictorUnavailableError } from '../../lib/http/problems.js';
import { silentReporter } from '../../lib/observability/events.js';
import { aRunRecord } from '../../test/sample-records.js';
import { writeDenseModel, writePrototypeModel } from '../testing/prototype-model.js';
import { type BatchingOptions, createBatchingPredictor } from './batching.js';
import { openModel } from './open-model.js';
import type { Predictor } from './predictor.js';
import { createModelStore, type ModelStore } from './served-models.js';
import { watchModel } from './watch-model.js';

const CARD = {
  file: 'm.h5',
  sha256: '0'.repeat(64),
  inputShape: [1, 2, 1],
  classes: 2,
  engine: 'none',
  signature: { input: 'x', output: 'y' },
} as const;

/** A worker that answers each image with itself, when it is let go on. */
function heldWorker() {
  const batches: number[] = [];
  let waiting: (() => void)[] = [];
  let isClosed = false;
  const predictor: Predictor = {
    card: () => (isClosed ? undefined : CARD),
    async predict(images, count) {
      batches.push(count);
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (images[0] === -1) throw new Error('poison');
      return images;
    },
    async close() {
      isClosed = true;
    },
  };
  const release = () => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  };
  const die = () => {
    isClosed = true;
  };
  return { predictor, batches, release, die, isClosed: () => isClosed };
}

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function batching(options: Partial<BatchingOptions> = {}) {
  const worker = heldWorker();
  return { worker, batched: createBatchingPredictor({ workers: [worker.predictor], ...options }) };
}

describe('micro-batching', () => {
  it('predicts together what waits together, and gives each its own answer', async () => {
    const seen: number[] = [];
    const { worker, batched } = batching({ maxBatch: 4, onBatch: ({ images }) => seen.push(images) });
    const answers = Array.from({ length: 9 }, (_, at) => batched.predict(Float32Array.of(at, -at), 1));
    await turn();
    assert.deepEqual(worker.batches, [4, 4], 'as many as fit, two batches ahead');
    assert.equal(batched.waitingImages(), 1);
    while (worker.batches.length < 3) {
      worker.release();
      await turn();
    }
    worker.release();
    for (const [at, answer] of (await Promise.all(answers)).entries())
      assert.deepEqual([...answer], [at, -at]);
    assert.deepEqual(seen, [4, 4, 1]);
  });

  it('splits what is larger than a batch, and answers it in one piece', async () => {
    const { worker, batched } = batching({ maxBatch: 2 });
    const images = Float32Array.from({ length: 10 }, (_, at) => at);
    const answer = batched.predict(images.slice(), 5);
    for (let round = 0; round < 4; round++) {
      await turn();
      worker.release();
    }
    assert.deepEqual(await answer, images);
    assert.deepEqual(worker.batches, [2, 2, 1]);
  });

  it('waits for a batch to fill where it is told to, but not for ever', async () => {
    const patient = batching({ maxBatch: 2, batchTimeoutMs: 600_000 });
    const first = patient.batched.predict(Float32Array.of(1, 1), 1);
    await turn();
    assert.deepEqual(patient.worker.batches, [], 'it waits');
    const second = patient.batched.predict(Float32Array.of(2, 2), 1);
    await turn();
    assert.deepEqual(patient.worker.batches, [2], 'a full batch waits for nothing');
    patient.worker.release();
    await Promise.all([first, second]);

    const { worker, batched } = batching({ maxBatch: 2, batchTimeoutMs: 5 });
    const alone = batched.predict(Float32Array.of(1, 1), 1);
    while (worker.batches.length === 0) await delay(5);
    worker.release();
    await alone;
  });

  it('refuses what would wait too long, and goes on', async () => {
    const { worker, batched } = batching({ maxBatch: 1, maxWaitingImages: 3 });
    const ask = () => batched.predict(Float32Array.of(1, 1), 1);
    const taken = [ask(), ask()];
    await turn();
    taken.push(ask(), ask(), ask());
    await assert.rejects(ask(), OverloadedError);
    for (let round = 0; round < 4; round++) {
      worker.release();
      await turn();
    }
    assert.equal((await Promise.all(taken)).length, 5);
    const again = ask();
    await turn();
    worker.release();
    assert.equal((await again).length, 2);
  });

  it('fails a batch alone, and everything that waits when the last worker is gone', async () => {
    const { worker, batched } = batching({ maxBatch: 1 });
    const asked = [-1, 2, 3].map((value) => batched.predict(Float32Array.of(value, value), 1));
    await turn();
    worker.die();
    worker.release();
    const [poison, good, waiting] = await Promise.allSettled(asked);
    assert.match(String(poison?.status === 'rejected' && poison.reason), /poison/);
    assert.equal(good?.status, 'fulfilled');
    assert.ok(waiting?.status === 'rejected' && waiting.reason instanceof PredictorUnavailableError);
    await assert.rejects(batched.predict(Float32Array.of(1, 1), 1), PredictorUnavailableError);
  });

  it('tries each request of a failed batch alone, so that only the one at fault fails', async () => {
    const { worker, batched } = batching({ maxBatch: 4 });
    const asked = Promise.allSettled(
      [-1, 2, 3].map((value) => batched.predict(Float32Array.of(value, value), 1)),
    );
    for (let round = 0; round < 4; round++) {
      await turn();
      worker.release();
    }
    const [poison, ...good] = await asked;
    assert.match(String(poison?.status === 'rejected' && poison.reason), /poison/);
    assert.deepEqual(
      good.map((each) => each.status === 'fulfilled' && [...each.value]),
      [
        [2, 2],
        [3, 3],
      ],
    );
    assert.deepEqual(worker.batches, [3, 1, 1, 1]);
    assert.equal(batched.waitingImages(), 0);
  });

  it('refuses the request with an answer that is not finite and no other', async () => {
    const { worker, batched } = batching({ maxBatch: 8 });
    const asked = Promise.allSettled([
      batched.predict(Float32Array.of(1, 1), 1),
      batched.predict(Float32Array.of(1, 1, 1, Number.NaN), 2),
      batched.predict(Float32Array.of(2, 2), 1),
    ]);
    await turn();
    worker.release();
    const [first, odd, last] = await asked;
    assert.deepEqual([first?.status, odd?.status, last?.status], ['fulfilled', 'rejected', 'fulfilled']);
    assert.ok(odd?.status === 'rejected' && odd.reason instanceof HttpProblem);
    assert.equal(odd.reason.status, 400);
    assert.match(odd.reason.message, /found some in example 1 for which the model answers NaN or infinity/);
    assert.deepEqual(worker.batches, [4], 'no second try');
  });

  it('answers whatever its observer throws, and reports that', async () => {
    const said: string[] = [];
    const { worker, batched } = batching({
      reporter: { ...silentReporter, error: (message) => said.push(message) },
      onBatch: () => {
        throw new TypeError('Value is not a valid number: NaN');
      },
    });
    const asked = [1, 2].map((value) => batched.predict(Float32Array.of(value, value), 1));
    await turn();
    worker.release();
    assert.equal((await Promise.all(asked)).length, 2);
    await turn();
    assert.deepEqual(said, [
      'What was answered could not be counted or reported: Value is not a valid number: NaN',
    ]);
  });

  it('lets others in between the parts of a large request', async () => {
    const { worker, batched } = batching({ maxBatch: 1 });
    const order: string[] = [];
    const large = batched.predict(new Float32Array(200), 100).then(() => order.push('large'));
    await turn();
    const small = batched.predict(Float32Array.of(1, 1), 1).then(() => order.push('small'));
    for (let round = 0; order.length < 2; round++) {
      if (round === 5) assert.deepEqual(order, ['small']);
      await turn();
      worker.release();
    }
    await Promise.all([large, small]);
    assert.deepEqual(order, ['small', 'large']);
  });

  it('counts all images of a large request as waiting, and answers all before it closes', async () => {
    const { worker, batched } = batching({ maxBatch: 2, maxWaitingImages: 10 });
    const large = batched.predict(new Float32Array(40), 20);
    await turn();
    assert.equal(batched.waitingImages(), 16, 'two batches of two are on their way');
    await assert.rejects(batched.predict(Float32Array.of(1, 1), 1), OverloadedError);
    let isClosed = false;
    const closed = batched.close().then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      await turn();
      worker.release();
    }
    await closed;
    assert.equal((await large).length, 40);
    assert.equal(batched.waitingImages(), 0);
  });

  it('forgets the rest of a large request that has failed', async () => {
    const { worker, batched } = batching({ maxBatch: 1 });
    const large = batched.predict(Float32Array.of(-1, -1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5), 6);
    const failed = assert.rejects(large, /poison/);
    for (let round = 0; round < 6; round++) {
      await turn();
      worker.release();
    }
    await failed;
    assert.equal(batched.waitingImages(), 0);
    assert.ok(worker.batches.length < 6, 'what nobody waits for is not predicted');
    await batched.close();
  });

  it('shares the work among workers, and answers all before it closes', async () => {
    const workers = [heldWorker(), heldWorker()];
    const batched = createBatchingPredictor({
      workers: workers.map(({ predictor }) => predictor),
      maxBatch: 1,
    });
    const answers = Array.from({ length: 4 }, () => batched.predict(Float32Array.of(1, 1), 1));
    await turn();
    assert.deepEqual(
      workers.map(({ batches }) => batches.length),
      [2, 2],
    );
    const closed = batched.close();
    await turn();
    assert.ok(workers.every(({ isClosed }) => !isClosed()));
    for (const { release } of workers) release();
    await closed;
    assert.equal((await Promise.all(answers)).length, 4);
    assert.ok(workers.every(({ isClosed }) => isClosed()));
  });
});

describe('the versions of a model', () => {
  let directory: string;
  let modelPath: string;
  /** Another model that is as good as any. */
  const other = async (weight = 0.01) => {
    const path = join(directory, 'other.h5');
    const kernel = new Float32Array(7_840).fill(weight);
    await writeDenseModel(path, { inputShape: [28, 28, 1], kernel, bias: new Float32Array(10) });
    return readFile(path);
  };
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    modelPath = join(directory, 'model.h5');
    await writePrototypeModel(modelPath);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const createStore = () =>
    createModelStore({
      name: 'model',
      load: (bytes) => openModel({ modelPath, bytes, threads: 1, workers: 1 }),
    });
  const share = (bytes: Uint8Array) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return shared;
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await delay(10);
  };
  const shas = (store: ModelStore) => store.versions().map(({ predictor }) => predictor.card()?.sha256);

  it('follow the file: a new one answers, a bad one does not, a rolled back one does not come again', async () => {
    const first = await readFileShared(modelPath, 'a model');
    const second = await other();
    const store = createStore();
    const stop = new AbortController();
    let taken = 0;
    const told: string[] = [];
    const watching = watchModel({
      modelPath,
      store,
      intervalMs: 10,
      onTaken: () => taken++,
      reporter: { ...silentReporter, error: (message) => void told.push(message) },
      signal: stop.signal,
    });
    try {
      assert.equal(store.card(), undefined);
      await assert.rejects(store.predict(new Float32Array(784), 1), PredictorUnavailableError);
      await until(() => taken === 1);
      const [sha] = shas(store);

      // Half a file, as a copy that is not atomic shows it: refused, and the model before keeps answering.
      await writeFile(modelPath, second.subarray(0, second.length / 2));
      await until(() => store.refused() !== undefined);
      assert.match(store.refused()?.reason ?? '', /model\.h5: expected .*, found .*\.$/);
      assert.equal(store.current()?.version, 1);
      assert.equal((await store.predict(new Float32Array(784), 1)).length, 10);
      assert.equal(told.length, 1, 'said once');
      assert.match(told[0] ?? '', /is refused, version 1 keeps answering: /);

      await writeFileAtomic(modelPath, second);
      await until(() => taken === 2);
      assert.equal(store.current()?.version, 2);
      assert.equal(store.refused(), undefined);
      assert.deepEqual(shas(store)[0], sha, 'the version before is kept');

      assert.equal(store.rollback()?.version, 1);
      assert.equal(store.card()?.sha256, sha);
      assert.equal(store.rollback(), undefined, 'there is none before the first');
      assert.equal(await store.offer(share(second)), 'known');
      assert.equal(store.current()?.version, 1, 'the watch does not bring it back');

      await rm(modelPath);
      await delay(50);
      assert.equal((await store.predict(new Float32Array(784), 1)).length, 10, 'it answers without its file');
    } finally {
      stop.abort();
      await watching;
      await store.close();
      await writeFileAtomic(modelPath, first);
    }
  });

  it('are told what is found out about them later: accuracy and training, each about exactly this file', async () => {
    const [first, second] = [await readFileShared(modelPath, 'a model'), await other()];
    const [firstSha, secondSha] = [sha256(first), sha256(second)];
    const store = createStore();
    const stop = new AbortController();
    const onTaken = () => undefined;
    const options = { modelPath, store, intervalMs: 10, onTaken, reporter: silentReporter };
    const watching = watchModel({ ...options, signal: stop.signal });
    const test = (sha: string, accuracy: number) =>
      writeFileAtomic(
        join(directory, 'accuracy.json'),
        JSON.stringify({ sha256: sha, accuracy, loss: 0.5, examples: 100 }),
      );
    const accuracy = () => store.card()?.accuracy?.accuracy;
    try {
      await until(() => store.card() !== undefined);
      assert.deepEqual([store.card()?.accuracy, store.card()?.training], [undefined, undefined]);
      await test(firstSha, 0.5);
      await until(() => accuracy() !== undefined);
      assert.deepEqual(store.card()?.accuracy, { accuracy: 0.5, loss: 0.5, examples: 100 });
      await test(firstSha, 0.75);
      await until(() => accuracy() === 0.75);

      // The test of a model that is not there yet, and half a record: what is known stays.
      await test(secondSha, 0.9);
      await delay(50);
      assert.equal(accuracy(), 0.75);
      await writeFile(join(directory, 'accuracy.json'), '{"sha256":');
      await delay(50);
      assert.equal(accuracy(), 0.75);
      await test(secondSha, 0.9);
      await writeFileAtomic(modelPath, second);
      await until(() => accuracy() === 0.9);

      const line = { time: '2026-01-02T10:20:30.000Z', event: 'round', round: 3, sha256: secondSha };
      await writeRecord(join(directory, 'run.json'), aRunRecord({ clients: 7 }));
      await writeFile(join(directory, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);
      await until(() => store.card()?.training !== undefined);
      assert.deepEqual(store.card()?.training, { rounds: 3, clients: 7, finishedAt: line.time });
      store.rollback();
      assert.deepEqual([accuracy(), store.card()?.training], [0.75, undefined], 'each has its own');
    } finally {
      stop.abort();
      await watching;
      await store.close();
      await writeFileAtomic(modelPath, first);
      for (const name of ['accuracy.json', 'run.json', 'metrics.jsonl'])
        await rm(join(directory, name), { force: true });
    }
  });

  it('are dropped when they are too old, once they have answered', async () => {
    const store = createStore();
    try {
      await store.offer(await readFileShared(modelPath, 'a model'));
      const oldest = store.current();
      const answer = oldest?.predictor.predict(new Float32Array(784), 1);
      await store.offer(share(await other()));
      assert.equal((await answer)?.length, 10);
      await assert.rejects(store.offer(share(Buffer.from('no model'))));
      assert.deepEqual(
        store.versions().map(({ version }) => version),
        [1, 2],
      );
      await store.offer(share(await other(0.02)));
      assert.deepEqual(
        store.versions().map(({ version }) => version),
        [2, 3],
      );
      assert.equal(oldest?.predictor.card(), undefined);
    } finally {
      await store.close();
    }
  });

  it('have the names of their classes, or are refused where these do not fit', async () => {
    const labelsPath = join(directory, 'labels.txt');
    const labels = Array.from({ length: 10 }, (_, digit) => `digit ${digit}`);
    const open = async () => {
      const model = await openModel({ modelPath, threads: 1, workers: 2 });
      const card = model.card();
      await model.close();
      return card?.labels;
    };
    try {
      await writeFile(labelsPath, `${labels.join('\r\n')}\n\n`);
      assert.deepEqual(await open(), labels);
      await writeFile(labelsPath, labels.slice(1).join('\n'));
      await assert.rejects(open(), /labels\.txt: expected 10 class names, one a line, found 9\.$/);
    } finally {
      await rm(labelsPath);
    }
    assert.equal(await open(), undefined);
  });
});

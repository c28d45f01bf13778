import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ExitCode } from '../../lib/core/errors.js';
import { preprocess } from '../../lib/digits/preprocess.js';
import { PredictorUnavailableError } from '../../lib/http/problems.js';
import { silentReporter } from '../../lib/observability/events.js';
import { decodeImage } from '../pictures/decode-image.js';
import { POISON } from '../testing/mortal-workers.js';
import { writeDenseModel, writePrototypeModel } from '../testing/prototype-model.js';
import { digitPng } from '../testing/segment-digits.js';
import { createWorkerPredictor, ModelRefusedError } from './worker-predictor.js';

const MORTAL_WORKER = new URL('../testing/mortal-workers.js', import.meta.url);

describe('a predictor in a worker thread', () => {
  let directory: string;
  let modelPath: string;
  let sha256: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    modelPath = join(directory, 'model.h5');
    sha256 = await writePrototypeModel(modelPath);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const digit = async (label: number) =>
    preprocess(await decodeImage(await digitPng(label)), [28, 28, 1]).values;

  it('loads a model file, tells its facts, and answers many at once, each its own', async () => {
    const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
    try {
      assert.deepEqual(predictor.card(), {
        file: 'model.h5',
        sha256,
        inputShape: [28, 28, 1],
        classes: 10,
        engine: 'onnx/cpu',
        signature: { input: 'flatten_input', output: 'dense' },
      });
      const digits = await Promise.all(Array.from({ length: 10 }, (_, label) => digit(label)));
      const found = await Promise.all(
        Array.from({ length: 500 }, async (_, index) => {
          const row = await predictor.predict((digits[index % 10] as Float32Array).slice(), 1);
          assert.ok(Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
          return row.indexOf(Math.max(...row));
        }),
      );
      assert.deepEqual(
        found,
        found.map((_, index) => index % 10),
      );
      const batch = await predictor.predict(
        Float32Array.from([...(digits[3] ?? []), ...(digits[8] ?? [])]),
        2,
      );
      assert.equal(batch.length, 20);
      assert.ok((batch[3] ?? 0) > 0.5 && (batch[18] ?? 0) > 0.5);
      await assert.rejects(
        predictor.predict(new Float32Array(5), 1),
        /./,
        'a wrong size is an error, not a crash',
      );
      assert.equal((await predictor.predict(await digit(1), 1)).length, 10);
    } finally {
      await predictor.close();
    }
    await assert.rejects(predictor.predict(await digit(1), 1), PredictorUnavailableError);
  });

  it('fails what a dying worker has not answered, starts it again, and answers again', async () => {
    const told: string[] = [];
    const tell = (message: string) => void told.push(message);
    const reporter = { ...silentReporter, info: tell, warn: tell, error: tell };
    const predictor = await createWorkerPredictor({
      modelPath,
      threads: 1,
      reporter,
      workerUrl: MORTAL_WORKER,
    });
    try {
      const poison = new Float32Array(784).fill(POISON);
      // Made first: the worker may die while a digit is made, and nobody would be listening yet.
      const [four, five] = [await digit(4), await digit(5)];
      const [first, ...behind] = await Promise.allSettled([
        predictor.predict(four, 1),
        predictor.predict(poison, 1),
        predictor.predict(five, 1),
      ]);
      assert.equal(first?.status, 'fulfilled', 'what came before is answered');
      for (const each of behind) {
        assert.equal(each.status, 'rejected');
        assert.ok(each.status === 'rejected' && each.reason instanceof PredictorUnavailableError);
      }
      assert.equal(predictor.card(), undefined, 'not ready while it is away');
      while (predictor.card() === undefined) await delay(20);
      assert.equal((await predictor.predict(await digit(6), 1)).length, 10);
      assert.match(
        told.join('\n'),
        /The prediction worker ended: .*Starting it again\.\nThe prediction worker is back\./,
      );
    } finally {
      await predictor.close();
    }
  });

  it('closes while the worker is away', async () => {
    const predictor = await createWorkerPredictor({ modelPath, threads: 1, workerUrl: MORTAL_WORKER });
    await assert.rejects(predictor.predict(new Float32Array(784).fill(POISON), 1), PredictorUnavailableError);
    await predictor.close();
    await delay(400);
    assert.equal(predictor.card(), undefined, 'no successor comes back to life');
  });

  it('refuses what cannot be served, with the sentence and exit code of bad data', async () => {
    const text = join(directory, 'text.h5');
    await writeFile(text, 'not a model');
    const nan = join(directory, 'nan.h5');
    const kernel = new Float32Array(7840).fill(Number.NaN);
    await writeDenseModel(nan, { inputShape: [28, 28, 1], kernel, bias: new Float32Array(10) });
    const expectations = {
      [join(directory, 'missing.h5')]:
        /missing\.h5: expected a Keras model \(.h5 or .keras\), found no such file\.$/,
      [text]: /text\.h5: expected .*\.$/,
      [directory]: /found a directory\.$/,
      [nan]:
        /nan\.h5: expected weights to compute with, found a model that holds NaN in .*\/kernel:0 at position 0\.$/,
    };
    for (const [path, sentence] of Object.entries(expectations)) {
      await assert.rejects(createWorkerPredictor({ modelPath: path, threads: 1 }), (error: unknown) => {
        assert.ok(error instanceof ModelRefusedError, String(error));
        assert.equal(error.exitCode, ExitCode.data);
        assert.match(error.message, sentence);
        return true;
      });
    }
  });

  it('tells the accuracy that was measured on exactly this file, and no other', async () => {
    const record = { model: 'model.h5', loss: 0.08, accuracy: 0.975, examples: 10_000, sha256 };
    const cardOf = async (text: string) => {
      await writeFile(join(directory, 'accuracy.json'), text);
      const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
      const card = predictor.card();
      await predictor.close();
      return card;
    };
    const { accuracy } = (await cardOf(JSON.stringify(record))) ?? {};
    assert.deepEqual(accuracy, { accuracy: 0.975, loss: 0.08, examples: 10_000 });
    const overflowed = await cardOf(JSON.stringify({ ...record, loss: null }));
    assert.equal(overflowed?.accuracy?.loss, null, 'a loss that is not finite is written as null');
    for (const other of [JSON.stringify({ ...record, sha256: 'f'.repeat(64) }), '{', '{"accuracy":"high"}']) {
      assert.equal((await cardOf(other))?.accuracy, undefined);
    }
    await rm(join(directory, 'accuracy.json'));
  });
});

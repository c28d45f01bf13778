/** The library as its users import it: by its entries, with nothing told unless asked. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import {
  batchInputs,
  createModel,
  type Engine,
  EngineUnavailableError,
  loadModel,
  MODEL_NAMES,
  openEngine,
  saveModel,
  trainLocally,
} from 'fedbatch/engine';
import { type Examples, openNpz, readKerasFile, readShard } from 'fedbatch/files';
import { createApp, listen, openPredictor } from 'fedbatch/server';
import { readFileBytes } from '../lib/formats/files/read-file.js';
import { partsOf, writeTinyDataset } from '../test/datasets.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import { withoutFlags } from './call.js';

let data = '';
let model = '';
let examples: Examples;
let engine: Engine;

/** A small model, trained in memory. */
before(async () => {
  const directory = sharedDirectory();
  data = await writeTinyDataset(directory);
  model = join(directory, 'trained.h5');
  examples = await readShard(data);
  ({ engine } = await openEngine({ choice: { name: 'onnx', backend: 'cpu' }, threads: 1 }));
  const fresh = createModel({ name: 'mlp', inputShape: [8, 8, 1], classes: 4, seed: 0 });
  const optimizer = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;
  const session = await engine.createTrainingSession(fresh, { optimizer, seed: 0, threads: 1 });
  await trainLocally(session, examples, { epochs: 8, batchSize: 20, seed: 0 });
  await saveModel(model, { ...fresh, weights: await session.weights() });
  await session.dispose();
});

describe('fedbatch/engine', () => {
  it('trains a new model, writes it, reads it and predicts with it', async () => {
    const trained = await loadModel(model);
    const session = await engine.createPredictSession(trained, { threads: 1 });
    const picks = [0, 1, 2, 3, 4, 5, 6, 7];
    const [answer] = await session.predict(batchInputs(examples, picks), picks.length);
    await session.dispose();
    const found = picks.map((at) => {
      const own = [...(answer as Float32Array).subarray(at * 4, at * 4 + 4)];
      return own.indexOf(Math.max(...own));
    });
    assert.deepEqual(found, [...partsOf(examples).labels.subarray(0, 8)]);
  });

  it('makes the same initial weights from the same seed, and others from another', () => {
    const options = { name: 'cnn', inputShape: [28, 28, 1], classes: 10 } as const;
    const [first, again, other] = [0, 0, 1].map((seed) => createModel({ ...options, seed }));
    assert.deepEqual(again?.weights, first?.weights);
    assert.notDeepEqual(other?.weights, first?.weights);
    assert.ok(MODEL_NAMES.includes('cnn'));
  });

  it('stops a training by its signal, with its reason', async () => {
    const trained = await loadModel(model, { forTraining: true });
    const optimizer = { kind: 'sgd', learningRate: 0.1, momentum: 0 } as const;
    const session = await engine.createTrainingSession(trained, { optimizer, seed: 0, threads: 1 });
    const stop = new AbortController();
    const why = new Error('enough');
    const training = trainLocally(session, examples, {
      ...{ epochs: 100, batchSize: 20, seed: 0, signal: stop.signal },
      onStep: () => stop.abort(why),
    });
    await assert.rejects(training, why);
    await session.dispose();
  });

  it('refuses an engine that is asked for and not there', async () => {
    await assert.rejects(
      openEngine({ choice: { name: 'tensorflow', backend: 'node-gpu' } }),
      EngineUnavailableError,
    );
  });
});

describe('fedbatch/files', () => {
  it('reads arrays and models', async () => {
    const archive = await openNpz(await readFileBytes(data, 'a dataset'), data);
    assert.deepEqual([...archive.names].sort(), ['x', 'y']);
    assert.deepEqual(archive.read('x').shape, [360, 8, 8]);
    const { weights, update } = await readKerasFile(model);
    assert.equal(weights[0]?.name, 'dense/kernel:0');
    assert.equal(update, undefined);
  });
});

describe('fedbatch/server', () => {
  it('opens a predictor, makes the application and listens', async () => {
    const predictor = await openPredictor(model, { engine: { name: 'onnx', backend: 'cpu' }, workers: 1 });
    const server = await listen(createApp({ predictor }));
    const card = (await (await fetch(`${server.url}/model`)).json()) as { readonly classes: number };
    assert.equal(card.classes, 4);
    await server.close();
    await predictor.close();
  });

  it('makes an application that any server of Node takes', async () => {
    const predictor = await openPredictor(model, { workers: 1 });
    const server = createServer(createApp({ predictor }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
    await new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await predictor.close();
  });

  it('gives up opening by its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(openPredictor(model, { signal }), /^Error: enough$/);
  });

  it('says what is wrong with a model in one sentence', async () => {
    await assert.rejects(openPredictor(data, { workers: 1 }), /tiny\.npz: expected a Keras model/);
  });
});

describe('errors of the library', () => {
  it('name settings by their places and options by their names', () => {
    for (const [message, expected] of [
      ['--epochs 2 and --local-steps 3 contradict', 'training.epochs 2 and training.localSteps 3 contradict'],
      ['name it with --parent, or --min-updates=1', 'name it with parent, or minUpdates=1'],
      ['To mend it: gunzip --keep data.gz', 'To mend it: gunzip --keep data.gz'],
    ] as const) {
      assert.equal(withoutFlags(message), expected);
    }
  });
});

/** Training over many steps: it learns, repeats bit for bit, takes any batch size, and its dropout is unbiased. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { flatten, normalisation } from '../../../test/layers.js';
import { randomStream } from '../../core/random.js';
import { sha256 } from '../../formats/files/read-file.js';
import type { Layer } from '../../model/layers/registry.js';
import { type ModelDescription, sequential } from '../../model/model-description.js';
import { describeModel } from '../../model/model-zoo.js';
import { planOperations } from '../../model/operations.js';
import { optimizerRates } from '../../model/optimizers/registry.js';
import { initialWeights } from '../../model/parameters.js';
import type { Batch, OptimizerSettings, TrainingSettings } from '../engine.js';
import { onnxEngine, plainOnnxEngine } from './onnx-engine.js';
import { measureBlockSize, probeBlocks } from './probe-blocks.js';

const ADAM: OptimizerSettings = { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
const settings = (given: Partial<TrainingSettings> = {}): TrainingSettings => ({
  optimizer: ADAM,
  seed: 5,
  threads: 1,
  ...given,
});

const cnn = describeModel('cnn', { inputShape: [12, 12, 1], outputs: 4 });

/** Images whose class shows as a bright quarter. */
function quarters(count: number, seed: number): Batch {
  const random = randomStream(seed, 'quarters');
  const labels = Int32Array.from({ length: count }, () => random.integer(0, 3));
  const images = Float32Array.from({ length: count * 144 }, (_, at) => {
    const [row, column] = [Math.floor((at % 144) / 12), at % 12];
    const quarter = (row < 6 ? 0 : 2) + (column < 6 ? 0 : 1);
    return random.uniform() * 0.5 + (quarter === labels[Math.floor(at / 144)] ? 0.5 : 0);
  });
  return { count, inputs: [images], targets: [labels] };
}

async function train(description: ModelDescription, steps: number, given: Partial<TrainingSettings> = {}) {
  const model = { description, weights: initialWeights(description, 1) };
  const session = await onnxEngine.createTrainingSession(model, settings(given));
  const results = [];
  for (let step = 0; step < steps; step++) results.push(await session.step(quarters(20, step)));
  const weights = await session.weights();
  await session.dispose();
  return {
    results,
    weights,
    hash: sha256(Buffer.concat(weights.map(({ values }) => Buffer.from(values.buffer)))),
  };
}

describe('training session', () => {
  it('learns, and the predict session sees what was learnt', async () => {
    const { results, weights } = await train(cnn, 60);
    assert.ok((results[0]?.loss ?? 0) > 1.2, 'starts near ln 4');
    assert.ok((results.at(-1)?.loss ?? 1) < 0.4, `ends at ${results.at(-1)?.loss}`);
    const predictor = await onnxEngine.createPredictSession({ description: cnn, weights }, { threads: 1 });
    const { inputs, targets } = quarters(200, 1000);
    const [probabilities = new Float32Array(0)] = await predictor.predict(inputs, 200);
    await predictor.dispose();
    const right = targets[0]?.filter((label, row) => {
      const scores = [...probabilities.subarray(row * 4, row * 4 + 4)];
      return scores.indexOf(Math.max(...scores)) === label;
    });
    assert.ok(right && right.length >= 190, `${right?.length} of 200`);
  });

  it('gives the same bytes again, and others from another seed', async () => {
    const first = await train(cnn, 12);
    assert.equal((await train(cnn, 12)).hash, first.hash);
    const onTwo = await train(cnn, 12, { threads: 2 });
    assert.equal((await train(cnn, 12, { threads: 2 })).hash, onTwo.hash);
    assert.notEqual((await train(cnn, 12, { seed: 6 })).hash, first.hash);
  });

  it('learns the same on blocked images and on plain ones, and says which', async () => {
    const model = { description: cnn, weights: initialWeights(cnn, 1) };
    const [fast, plain] = [
      await onnxEngine.createTrainingSession(model, settings()),
      await plainOnnxEngine.createTrainingSession(model, settings()),
    ];
    assert.match(fast.engine, /^onnx\/cpu( with blocks of \d+)?$/);
    assert.equal(plain.engine, 'onnx/cpu');
    for (let step = 0; step < 10; step++) {
      const [a, b] = [await fast.step(quarters(20, step)), await plain.step(quarters(20, step))];
      assert.ok(Math.abs(a.loss - b.loss) < 1e-3, `step ${step}: ${a.loss}, ${b.loss}`);
    }
    await Promise.all([fast.dispose(), plain.dispose()]);
  });

  it('has the default CNN on blocked images wherever the processor has blocks', async () => {
    const blockSize = await measureBlockSize().catch(() => undefined);
    const usual = describeModel('cnn', { inputShape: [28, 28, 1], outputs: 10 });
    const found = await probeBlocks({ description: usual, weights: initialWeights(usual, 1) });
    if (blockSize !== undefined) assert.deepEqual(found, { blockSize });
    else assert.equal(found.blockSize, undefined);
  });

  it('stays on plain images where blocks do not fit, with the reason', async () => {
    const mlp = describeModel('mlp', { inputShape: [12, 12, 1], outputs: 4 });
    const found = await probeBlocks({ description: mlp, weights: initialWeights(mlp, 1) });
    assert.equal(found.blockSize, undefined);
    assert.match(
      'reason' in found ? found.reason : '',
      /no convolution has a multiple of \d+ filters|no blocked layout/,
    );
  });

  it('takes a last partial batch', async () => {
    const session = await onnxEngine.createTrainingSession(
      { description: cnn, weights: initialWeights(cnn, 1) },
      settings(),
    );
    for (const count of [20, 7, 1, 20]) {
      const { loss, correct } = await session.step(quarters(count, count));
      assert.ok(Number.isFinite(loss) && (correct ?? Number.NaN) <= count);
    }
    await session.dispose();
  });

  for (const optimizer of [
    ADAM,
    { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
    { kind: 'sgd', learningRate: 0.05, momentum: 0 },
  ] as const) {
    it(`follows TensorFlow.js' ${JSON.stringify(optimizer)} over 30 steps`, async () => {
      const layers: readonly Layer[] = [
        { kind: 'flatten', name: 'flatten' },
        { kind: 'dense', name: 'dense', units: 4, useBias: true, activation: 'softmax' },
      ];
      const description = sequential({ name: 'linear', inputShape: [12, 12, 1], layers });
      const { weights } = await train(description, 30, { optimizer });
      const expected = await tfjsLinear(optimizer, initialWeights(description, 1)[0]?.values as Float32Array);
      for (const [index, value] of expected.entries()) {
        assert.ok(Math.abs((weights[0]?.values[index] as number) - value) < 1e-4, `${index}: ${value}`);
      }
    });
  }

  it('folds batch statistics into the moving ones', async () => {
    const layers: readonly Layer[] = [
      normalisation('bn', { momentum: 0.5 }),
      ...describeModel('mlp', { inputShape: [12, 12, 1], outputs: 4 }).layers,
    ];
    const { weights } = await train(sequential({ name: 'bn', inputShape: [12, 12, 1], layers }), 12);
    const [mean = 0] = weights.find(({ name }) => name === 'bn/moving_mean:0')?.values ?? [];
    const [variance = 0] = weights.find(({ name }) => name === 'bn/moving_variance:0')?.values ?? [];
    // The pixels' own mean and variance: 0.25 + 0.5/4, and 1/48 + 0.25·3/16.
    assert.ok(Math.abs(mean - 0.375) < 0.01, `mean ${mean}`);
    assert.ok(Math.abs(variance - (1 / 48 + 3 / 64)) < 0.005, `variance ${variance}`);
  });
});

describe('Adam', () => {
  it('corrects the bias of its first steps', () => {
    assert.ok(Math.abs((optimizerRates(ADAM, 1).stepSize ?? 0) - (1e-3 * Math.sqrt(0.001)) / 0.1) < 1e-12);
    assert.ok(Math.abs((optimizerRates(ADAM, 100_000).stepSize ?? 0) - 1e-3) < 1e-9);
  });
});

describe('dropout', () => {
  const dropout = (name: string, rate: number): Layer => ({ kind: 'dropout', name, rate });

  it('is one mask where two follow each other', () => {
    const layers = [dropout('a', 0.25), flatten, dropout('b', 0.5)];
    const { operations } = planOperations(sequential({ name: 'd', inputShape: [12, 12, 1], layers }));
    assert.deepEqual(
      operations.map(({ layer }) => ('rate' in layer ? layer.rate : layer.kind)),
      ['flatten', 0.625],
    );
  });

  it('is unbiased and independent over steps, in two layers at once', async () => {
    // With a learning rate of 0, weights of 1 and an input of 1, the loss tells which inputs the masks kept:
    // class 0 gets sum(mask1 · mask2) through two dropouts that a dense layer of ones keeps apart.
    const units = 64;
    const rate = 0.4;
    const layers: readonly Layer[] = [
      dropout('a', rate),
      { kind: 'dense', name: 'one', units, useBias: false, activation: 'linear' },
      dropout('b', rate),
      { kind: 'dense', name: 'two', units: 2, useBias: false, activation: 'softmax' },
    ];
    const description = sequential({ name: 'masks', inputShape: [units], layers });
    const identity = Float32Array.from({ length: units * units }, (_, at) =>
      at % (units + 1) === 0 ? 1 : 0,
    );
    const weights = initialWeights(description, 0).map((array) => ({
      ...array,
      values: array.name.startsWith('one')
        ? identity
        : Float32Array.from({ length: units * 2 }, (_, at) => (at % 2 === 0 ? 1 / units : 0)),
    }));
    const optimizer: OptimizerSettings = { kind: 'sgd', learningRate: 0, momentum: 0 };
    const session = await onnxEngine.createTrainingSession({ description, weights }, settings({ optimizer }));
    // loss = ln(1 + exp(-s)) for label 0 with s = mean over units of mask1·mask2, so s comes back exactly.
    const sums: number[] = [];
    for (let step = 0; step < 4000; step++) {
      const { loss } = await session.step({
        count: 1,
        inputs: [new Float32Array(units).fill(1)],
        targets: [Int32Array.of(0)],
      });
      sums.push(-Math.log(Math.expm1(loss)));
    }
    await session.dispose();
    const mean = sums.reduce((sum, each) => sum + each, 0) / sums.length;
    const variance = sums.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sums.length;
    const keep = (1 - rate) ** 2;
    const expectedVariance = (1 / keep - 1) / units;
    // Six standard errors: the means of independent masks lie within, correlated ones (a shared mask) far outside.
    assert.ok(Math.abs(mean - 1) < 6 * Math.sqrt(expectedVariance / sums.length), `mean ${mean}`);
    assert.ok(
      Math.abs(variance / expectedVariance - 1) < 6 * Math.sqrt(2 / sums.length),
      `variance ${variance}, expected ${expectedVariance}`,
    );
    for (const lag of [1, 2, 3, 10]) {
      const correlation =
        sums.slice(lag).reduce((sum, each, at) => sum + (each - mean) * ((sums[at] as number) - mean), 0) /
        variance /
        (sums.length - lag);
      assert.ok(Math.abs(correlation) < 6 / Math.sqrt(sums.length), `lag ${lag}: ${correlation}`);
    }
  });
});

async function tfjsLinear(optimizer: OptimizerSettings, initial: Float32Array): Promise<Float32Array> {
  await tf.setBackend('cpu');
  const kernel = tf.variable(tf.tensor2d(initial, [144, 4]));
  const bias = tf.variable(tf.zeros([4]));
  for (let step = 0; step < 30; step++) {
    const { inputs, targets } = quarters(20, step);
    tfjsOptimizer(optimizer).minimize(
      () =>
        tf.losses.softmaxCrossEntropy(
          tf.oneHot(tf.tensor1d(targets[0] as Int32Array, 'int32'), 4),
          tf
            .tensor2d(inputs[0] as Float32Array, [20, 144])
            .matMul(kernel)
            .add(bias),
        ) as tf.Scalar,
    );
  }
  optimizers.clear();
  return kernel.dataSync() as Float32Array;
}

const optimizers = new Map<OptimizerSettings, tf.Optimizer>();

/** One optimizer for all steps. TensorFlow.js' momentum counts the learning rate outside the velocity: the same path. */
function tfjsOptimizer(optimizer: OptimizerSettings): tf.Optimizer {
  const known = optimizers.get(optimizer);
  if (known) return known;
  const made =
    optimizer.kind === 'adam'
      ? tf.train.adam(optimizer.learningRate, optimizer.beta1, optimizer.beta2, optimizer.epsilon)
      : optimizer.kind !== 'sgd' || optimizer.momentum === 0
        ? tf.train.sgd(optimizer.learningRate)
        : tf.train.momentum(optimizer.learningRate, optimizer.momentum);
  optimizers.set(optimizer, made);
  return made;
}

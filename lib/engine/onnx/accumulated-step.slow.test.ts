/** A batch too large for one run trains as one batch all the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { conv, dense, flatten, imageModel, normalisation } from '../../../test/layers.js';
import { memoryMb } from '../../../test/processes.js';
import { parameterCount } from '../../core/weights.js';
import type { Layer } from '../../model/layers/registry.js';
import { initialWeights } from '../../model/parameters.js';
import { assertClose, hashOf } from '../conformance/engine-runs.js';
import { ADAM, quarters } from '../conformance/problems.js';
import type { Batch, TrainingSettings } from '../engine.js';
import { examplesPerRun } from './accumulated-step.js';
import { onnxEngine } from './onnx-engine.js';

const COUNT = 900;
const LEARNING_RATE = 0.5;
const SETTINGS: TrainingSettings = {
  optimizer: { kind: 'sgd', learningRate: LEARNING_RATE, momentum: 0 },
  seed: 5,
  threads: 1,
};

/** Much to keep between layers, little to compute; a kernel large enough to be held by itself. */
const model = (...more: readonly Layer[]) => {
  const description = imageModel(
    [
      conv('wide', { kernel: [1, 1], filters: 512, activation: 'relu' }),
      { kind: 'maxPooling2d', name: 'pool', pool: [6, 6], strides: [6, 6], padding: 'valid' },
      flatten,
      ...more,
      dense('hidden', 16, 'relu'),
      dense('head', 4, 'softmax'),
    ],
    [12, 12, 1],
  );
  return { description, weights: initialWeights(description, 1) };
};
const batch = quarters(COUNT, 1);
const largest = examplesPerRun(model().description);
/** Two parts, a large and a small one. */
const inTwo = quarters(Math.ceil(1.1 * largest), 1);

/** A batch cut where a session cuts it. */
const partsOf = ({ count, inputs, targets }: typeof batch) =>
  Array.from({ length: Math.ceil(count / largest) }, (_, index) => ({
    count: Math.min(largest, count - index * largest),
    inputs: inputs.map((each) => each.slice(index * largest * 144, (index + 1) * largest * 144)),
    targets: targets.map((each) => each.slice(index * largest, (index + 1) * largest)),
  }));

function add(to: Float64Array | undefined, at: number, value: number): void {
  if (to !== undefined) to[at] = (to[at] as number) + value;
}

describe('a step on a batch that is run in parts', () => {
  it('is the mean of the steps on its parts', async () => {
    const parts = partsOf(batch);
    assert.ok(parts.length > 2, `${largest} examples in a run`);
    const { description, weights } = model();
    const session = await onnxEngine.createTrainingSession({ description, weights }, SETTINGS);
    const whole = await session.step(batch);
    const found = await session.weights();
    const expected = weights.map(({ values }) => new Float64Array(values.length));
    let [loss, correct] = [0, 0];
    for (const part of parts) {
      const share = part.count / COUNT;
      await session.restart({ weights, seed: 5 });
      const result = await session.step(part);
      loss += result.loss * share;
      correct += result.correct ?? Number.NaN;
      for (const [index, { values }] of (await session.weights()).entries())
        for (const [at, value] of values.entries()) add(expected[index], at, value * share);
    }
    await session.dispose();
    assert.ok(Math.abs(whole.loss - loss) < 1e-5, `${whole.loss}, ${loss}`);
    assert.equal(whole.correct, correct);
    for (const [index, { name: what }] of weights.entries())
      assertClose(found[index]?.values, expected[index] as Float64Array, { what, tolerance: 1e-5 });
    assert.notEqual(hashOf(found), hashOf(weights));
  });

  it('draws the dropout masks of one batch', async () => {
    const { description, weights } = model({ kind: 'dropout', name: 'dropout', rate: 0.5 });
    const session = await onnxEngine.createTrainingSession({ description, weights }, SETTINGS);
    const whole = await session.step(inTwo);
    await session.restart({ weights, seed: 5, learningRate: 0 });
    let loss = 0;
    for (const part of partsOf(inTwo)) loss += ((await session.step(part)).loss * part.count) / inTwo.count;
    await session.dispose();
    assert.ok(Math.abs(whole.loss - loss) < 1e-5, `${whole.loss}, ${loss}`);
  });

  it('updates as the optimizer does, and alternates with steps on small batches', async () => {
    const { description, weights } = model();
    const start = async (batches: readonly Batch[], given: Partial<TrainingSettings>) => {
      const session = await onnxEngine.createTrainingSession(
        { description, weights },
        { ...SETTINGS, ...given },
      );
      const taken = [];
      for (const each of batches) {
        await session.step(each);
        taken.push(await session.weights());
      }
      await session.dispose();
      return taken;
    };
    const [sgd] = await start([inTwo], {});
    const [adam] = await start([inTwo], { optimizer: ADAM });
    for (const [index, { name, values }] of weights.entries()) {
      for (const [at, value] of values.entries()) {
        const slope = (value - (sgd?.[index]?.values[at] as number)) / LEARNING_RATE;
        // Adam's first step is the learning rate, whatever the slope.
        if (Math.abs(slope) < 1e-3) continue;
        const moved = value - (adam?.[index]?.values[at] as number);
        assert.ok(Math.abs(moved - Math.sign(slope) * ADAM.learningRate) < 2e-5, `${name}[${at}]: ${moved}`);
      }
    }
    const correction = weights.map((array) => ({
      ...array,
      values: array.values.map((_, at) => (at % 5) - 2),
    }));
    const [corrected] = await start([inTwo], { correction });
    for (const [index, { name: what, values }] of correction.entries()) {
      const wanted = values.map((each, at) => (sgd?.[index]?.values[at] as number) - LEARNING_RATE * each);
      assertClose(corrected?.[index]?.values, wanted, { what, tolerance: 1e-6 });
    }
    // A pull that is stronger than any slope keeps the weights nearer to where they were.
    const small = quarters(20, 3);
    const free = await start([small, inTwo], {});
    const held = await start([small, inTwo], { proximal: 1.5 });
    const distance = (to: typeof weights | undefined) =>
      Math.hypot(
        ...weights.flatMap(({ values }, index) =>
          Array.from(values, (value, at) => value - (to?.[index]?.values[at] as number)),
        ),
      );
    assert.ok(distance(held[1]) < distance(free[1]), `${distance(held[1])}, ${distance(free[1])}`);
  });

  it('takes memory for a part, not for all', async () => {
    const { description, weights } = model();
    const session = await onnxEngine.createTrainingSession({ description, weights }, SETTINGS);
    const before = await memoryMb();
    const many = quarters(4 * largest, 2);
    await session.step(many);
    const grown = (await memoryMb()) - before;
    await session.dispose();
    // At once, the output of the first layer alone would take this much.
    const atOnce = (many.count * 144 * 512 * 4) / 2 ** 20;
    assert.ok(grown < atOnce, `${grown.toFixed(0)} MB, ${atOnce.toFixed(0)} MB at once`);
    assert.ok(parameterCount(weights) < 100_000, 'what grows is not the weights');
  });

  it('is not taken where statistics are those of the whole batch', () => {
    const { description } = model(normalisation('bn'));
    assert.equal(examplesPerRun(description), Number.POSITIVE_INFINITY);
  });
});

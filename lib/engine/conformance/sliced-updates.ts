/** Large models, which are updated slice by slice, beside the same updates at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomStream } from '../../core/random.js';
import { sizeOf, type Weights } from '../../core/weights.js';
import type { Layer } from '../../model/layers/registry.js';
import { sequential } from '../../model/model-description.js';
import { defaultOptimizer } from '../../model/optimizers/keras-optimizer.js';
import type { OptimizerName } from '../../model/optimizers/optimizer-names.js';
import { modelParameters } from '../../model/parameters.js';
import type { OptimizerSettings } from '../engine.js';
import { groupParameters } from '../onnx/graphs/parameter-groups.js';
import { isUpdatedInSlices } from '../onnx/sliced-update.js';
import { createOnnxTrainingSession } from '../onnx/training-session.js';

/** A table whose gradient is a tensor, and a matrix whose gradient is a product; 4.5 million parameters. */
const layers: readonly Layer[] = [
  { kind: 'embedding', name: 'embedding', below: 70_000, units: 64, maskZero: false },
  { kind: 'flatten', name: 'flatten' },
  { kind: 'dense', name: 'hidden', units: 70, useBias: true, activation: 'relu' },
  { kind: 'dense', name: 'dense', units: 3, useBias: true, activation: 'softmax' },
];
/** The model. */
export const description = sequential({ name: 'large', inputShape: [4], layers });
/** Its parameters as they are trained. */
export const groups = groupParameters(modelParameters(description));
const random = randomStream(0, 'slices');
/** Five examples. */
export const batch = {
  count: 5,
  inputs: [Float32Array.from({ length: 20 }, () => random.integer(0, 69_999))],
  targets: [Int32Array.of(0, 1, 2, 1, 0)],
};

/** The weights that all trainings begin with. */
export const beginning: Weights = modelParameters(description).map(({ layer, role, shape }) => {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, at) => ((at % 101) - 50) / 1000);
  return { name: `${layer}/${role}:0`, shape, values };
});

async function train(optimizer: OptimizerSettings, { ownsWeights = false } = {}) {
  const weights = beginning.map((array) => ({ ...array, values: array.values.slice() }));
  const [backend, engine] = ['cpu', 'onnx/cpu'] as const;
  const settings = { optimizer, seed: 0, threads: 1, batchSize: 5, proximal: 0.1, ownsWeights };
  const session = await createOnnxTrainingSession({ description, weights }, { ...settings, backend, engine });
  const losses = [await session.step(batch), await session.step(batch)].map(({ loss }) => loss);
  const trained = await session.weights(ownsWeights ? weights : undefined);
  await session.dispose();
  return { losses, trained, given: weights };
}

/** Whether all bits are the same. */
export const isEqual = (a: Float32Array, b: Float32Array) => Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength);

/** With every number that an optimizer may keep of a weight. */
const SETTINGS: Readonly<Record<string, object>> = {
  sgd: { momentum: 0.9, nesterov: true },
  adam: { amsgrad: true },
  rmsprop: { momentum: 0.9, centered: true },
};

/** Defines the test of one optimizer. */
export function testSlices(kind: OptimizerName): void {
  const ownsWeights = kind !== 'sgd';
  test(`a large model is updated in slices to the weights that ${kind} gives at once`, async () => {
    const optimizer: OptimizerSettings = { ...defaultOptimizer(kind, {}), ...SETTINGS[kind] };
    // So far from any gradient that it changes nothing but how the update is computed.
    const atOnce = { ...optimizer, clipGradientNorm: 1e9 };
    assert.deepEqual(
      [isUpdatedInSlices(groups, optimizer), isUpdatedInSlices(groups, atOnce)],
      [true, false],
    );
    const [sliced, whole] = [await train(optimizer, { ownsWeights }), await train(atOnce)];
    for (const [step, loss] of whole.losses.entries())
      assert.ok(Math.abs(loss - (sliced.losses[step] as number)) <= 1e-6);
    for (const [at, { name, values }] of whole.trained.entries()) {
      const found = sliced.trained[at]?.values as Float32Array;
      const start = beginning[at]?.values as Float32Array;
      let largest = 0;
      for (let i = 0; i < values.length; i++)
        largest = Math.max(largest, Math.abs((values[i] as number) - (found[i] as number)));
      assert.ok(largest <= 1e-6, `${name} differs by ${largest}`);
      assert.ok(!isEqual(values, start), `${name} is not trained`);
      // The arrays of a model that a session owns are those that it trains; others it leaves alone.
      const given = sliced.given[at]?.values as Float32Array;
      assert.ok(ownsWeights ? given === found : isEqual(given, start));
    }
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, beginning, description, groups, isEqual, testSlices } from '../conformance/sliced-updates.js';
import type { OptimizerSettings } from '../engine.js';
import { createAccumulatedStep } from './accumulated-step.js';
import { groupTensors, namedTensors, packWeights, unpackWeights } from './graphs/parameter-groups.js';
import { batchFeeds, buildTrainingGraph } from './graphs/training-graph.js';
import { loadOnnxRuntime } from './runtime.js';
import { createSlicedUpdate } from './sliced-update.js';

for (const kind of ['sgd', 'adam', 'rmsprop'] as const) testSlices(kind);

test('a batch that is run in parts is updated in slices only where the session says so, which then has one set of buffers', async () => {
  const optimizer: OptimizerSettings = { kind: 'sgd', learningRate: 0.5, momentum: 0 };
  const runtime = await loadOnnxRuntime('cpu', 1);
  const options = { optimizer, runtime, threads: 1 };
  const { Tensor } = runtime;
  const graph = buildTrainingGraph(description, { optimizer });
  const inParts = { Tensor, description, graph, largest: 3, random: undefined };
  const step = async (isSliced: boolean) => {
    const sliced = isSliced ? createSlicedUpdate(groups, options) : undefined;
    const accumulated = await createAccumulatedStep(description, graph, { ...options, sliced });
    const [weights, next] = [groupTensors(Tensor, groups), groupTensors(Tensor, groups)];
    packWeights(groups, beginning, weights);
    await accumulated.run({
      parts: batchFeeds(batch, inParts),
      inputs: {
        stepSize: new Tensor('float32', Float32Array.of(optimizer.learningRate), [1]),
        ...namedTensors('weights', groups, weights),
      },
      outputs: namedTensors('next-weights', groups, isSliced ? weights : next),
    });
    await accumulated.release();
    await sliced?.release();
    return [weights, next].map((tensors) => unpackWeights(groups, tensors, { like: beginning }));
  };
  const [inPlace, [before, after]] = [await step(true), await step(false)];
  for (const [at, { name, values }] of beginning.entries()) {
    assert.ok(isEqual(before?.[at]?.values as Float32Array, values), `${name} is left as it was`);
    const [found, wanted] = [inPlace[0], after].map((each) => each?.[at]?.values as Float32Array);
    assert.ok(isEqual(found as Float32Array, wanted as Float32Array), `${name} is the same in slices`);
    assert.ok(!isEqual(found as Float32Array, values), `${name} is trained`);
  }
});

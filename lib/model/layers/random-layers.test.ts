/** The noise of layers that draw random numbers has the mean, the spread and the pattern that their papers give it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomStream } from '../../core/random.js';
import { encodeOnnxModel } from '../../engine/onnx/graphs/onnx-model.js';
import { createInferenceSession, loadOnnxRuntime } from '../../engine/onnx/runtime.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { laidOut } from '../primitives/layout.js';
import { BATCH_AXIS } from '../primitives/value.js';
import { type Layer, moduleOf } from './registry.js';

const runtime = await loadOnnxRuntime('cpu', 1);
const EXAMPLES = 400;

/** What a layer makes of examples in training that are all `input`, `[EXAMPLES, ...shape]`. */
async function applied(
  layer: Layer,
  {
    input,
    shape,
    seed = 1,
  }: { readonly input: number; readonly shape: readonly number[]; readonly seed?: number },
): Promise<Float32Array> {
  const graph = new GraphBuilder();
  const x = {
    graph,
    tensor: graph.input('x', 'float32', ['batch', ...shape]),
    shape: [BATCH_AXIS, ...shape],
  };
  const rowSeeds = graph.input('rowSeeds', 'uint32', ['batch']);
  const none = () => assert.fail('it has no parameters');
  const y = moduleOf(layer).forward(layer, [x], {
    training: true,
    salt: 3,
    batchSize: undefined,
    blockSize: undefined,
    followedByRelu: false,
    withoutPoolIndices: false,
    parameter: none,
    batchStatistic: none,
    penalty: none,
    batchShare: none,
    rowSeeds: () => rowSeeds,
  });
  graph.output('y', laidOut(y).tensor, { type: 'float32', shape: ['batch', ...shape] });
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
  const random = randomStream(seed, 'rows');
  const size = shape.reduce((product, extent) => product * extent, EXAMPLES);
  const found = await session.run({
    x: new runtime.Tensor('float32', new Float32Array(size).fill(input), [EXAMPLES, ...shape]),
    rowSeeds: new runtime.Tensor(
      'uint32',
      Uint32Array.from({ length: EXAMPLES }, () => random.uint32()),
      [EXAMPLES],
    ),
  });
  await session.release();
  return found.y?.data as Float32Array;
}

function moments(values: Float32Array): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance };
}

function assertNear(found: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(found - expected) < tolerance, `${found}, expected ${expected}`);
}

describe('random layers', () => {
  it('GaussianNoise adds normal noise, another one at each place', async () => {
    const layer: Layer = { kind: 'gaussianNoise', name: 'noise', deviation: 0.5 };
    const noise = await applied(layer, { input: 2, shape: [100] });
    const { mean, variance } = moments(noise);
    assertNear(mean, 2, 0.01);
    assertNear(variance, 0.25, 0.01);
    const within = noise.filter((value) => Math.abs(value - 2) < 0.5).length / noise.length;
    assertNear(within, 0.6827, 0.01);
    const neighbours = noise.reduce((sum, value, at) => sum + (value - 2) * ((noise[at + 1] ?? 2) - 2), 0);
    assertNear(neighbours / noise.length / 0.25, 0, 0.02);
  });

  it('GaussianDropout keeps the mean, with a variance of rate / (1 - rate)', async () => {
    const layer: Layer = { kind: 'gaussianDropout', name: 'noise', rate: 0.2 };
    const { mean, variance } = moments(await applied(layer, { input: 1, shape: [100] }));
    assertNear(mean, 1, 0.01);
    assertNear(variance, 0.25, 0.01);
  });

  it('AlphaDropout gives what it drops one value, and leaves mean 0 at 0', async () => {
    const layer: Layer = { kind: 'alphaDropout', name: 'noise', rate: 0.3 };
    const found = await applied(layer, { input: 0, shape: [100] });
    const values = [...new Set(found)];
    assert.equal(values.length, 2);
    const dropped = found.filter((value) => value === Math.min(...values)).length / found.length;
    assertNear(dropped, 0.3, 0.01);
    assertNear(moments(found).mean, 0, 0.02);
  });

  it('SpatialDropout drops whole channels', async () => {
    const [rows, columns, channels] = [3, 2, 5];
    const layer: Layer = { kind: 'spatialDropout2d', name: 'drop', rate: 0.25 };
    const found = await applied(layer, { input: 3, shape: [rows, columns, channels] });
    const pixels = rows * columns;
    for (let at = 0; at < found.length; at++) {
      const example = Math.floor(at / (pixels * channels));
      assert.equal(found[at], found[example * pixels * channels + (at % channels)]);
    }
    const dropped = found.filter((value) => value === 0).length / found.length;
    assertNear(dropped, 0.25, 0.03);
    assert.deepEqual(new Set(found), new Set([0, 4]));
  });

  it('draw the same from the same seeds, and other numbers from others', async () => {
    const layer: Layer = { kind: 'gaussianNoise', name: 'noise', deviation: 1 };
    const [first, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => applied(layer, { input: 0, shape: [10], seed })),
    );
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
  });
});

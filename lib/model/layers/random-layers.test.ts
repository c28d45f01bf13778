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

/** A cell that adds up what it is given. */
const rnn = (units: number, dropped: object = {}): Extract<Layer, { kind: 'simpleRnn' }> => ({
  kind: 'simpleRnn',
  name: 'rnn',
  units,
  cellActivation: 'linear',
  useBias: false,
  returnSequences: true,
  goBackwards: false,
  zeroOutputForMask: false,
  ...dropped,
});

/** What an LSTM and a GRU have in common. */
const gated = { ...rnn(5), cellActivation: 'tanh', recurrentActivation: 'sigmoid' } as const;

const identity = (size: number) =>
  Float32Array.from({ length: size ** 2 }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));

/** Of `[n, steps, features]`: the numbers of each step, of all examples. */
const rowsOf = (
  values: Float32Array,
  { steps, features }: { readonly steps: number; readonly features: number },
): readonly (readonly number[])[] =>
  Array.from({ length: steps }, (_, step) =>
    [...values].filter((_, at) => Math.floor(at / features) % steps === step),
  );

/** What a layer is given. */
interface Given {
  /** All numbers of the examples, or those of all examples. */
  readonly input: number | Float32Array;
  readonly shape: readonly number[];
  readonly seed?: number;
  readonly examples?: number;
  readonly parameters?: Readonly<Record<string, Float32Array>>;
}

/** What a layer makes of examples in training, `[examples, …]`. */
async function applied(
  layer: Layer,
  { input, shape, seed = 1, examples = EXAMPLES, parameters = {} }: Given,
): Promise<Float32Array> {
  const graph = new GraphBuilder();
  const x = {
    graph,
    tensor: graph.input('x', 'float32', ['batch', ...shape]),
    shape: [BATCH_AXIS, ...shape],
  };
  const rowSeeds = graph.input('rowSeeds', 'uint32', ['batch']);
  const none = () => assert.fail('it says nothing of a batch');
  const shapes = new Map(
    moduleOf(layer)
      .parameters?.(layer, shape)
      .map((each) => [each.role, each.shape]),
  );
  const y = moduleOf(layer).forward(layer, [x], {
    training: true,
    salt: 3,
    batchSize: undefined,
    blockSize: undefined,
    followedByRelu: false,
    withoutPoolIndices: false,
    parameter(role) {
      const [values, extents] = [parameters[role], shapes.get(role)];
      assert.ok(values !== undefined && extents !== undefined, role);
      return { graph, tensor: graph.constant(values, extents), shape: extents };
    },
    batchStatistic: none,
    penalty: none,
    batchShare: none,
    rowSeeds: () => rowSeeds,
  });
  graph.output('y', laidOut(y).tensor, { type: 'float32', shape: ['batch', ...y.shape.slice(1)] });
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
  const random = randomStream(seed, 'rows');
  const size = shape.reduce((product, extent) => product * extent, examples);
  const values = typeof input === 'number' ? new Float32Array(size).fill(input) : input;
  const found = await session.run({
    x: new runtime.Tensor('float32', values, [examples, ...shape]),
    rowSeeds: new runtime.Tensor(
      'uint32',
      Uint32Array.from({ length: examples }, () => random.uint32()),
      [examples],
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

  it('of recurrent layers drop the same features of all steps, and keep the mean', async () => {
    const [steps, features] = [3, 5];
    const layer = rnn(features, { dropout: 0.25 });
    const parameters = { kernel: identity(features), recurrent_kernel: new Float32Array(features ** 2) };
    const found = await applied(layer, { input: 1, shape: [steps, features], parameters });
    const [first, ...later] = rowsOf(found, { steps, features });
    for (const row of later) assert.deepEqual(row, first);
    assert.deepEqual(new Set(first), new Set([0, Math.fround(4 / 3)]));
    assertNear(moments(found).mean, 1, 0.03);
  });

  it('of recurrent layers drop the same units of the state in all steps, and keep the mean', async () => {
    const [steps, features] = [3, 5];
    const layer = rnn(features, { recurrentDropout: 0.5 });
    const parameters = { kernel: identity(features), recurrent_kernel: identity(features) };
    const found = await applied(layer, { input: 1, shape: [steps, features], parameters });
    const [first = [], second = [], third = []] = rowsOf(found, { steps, features });
    // h' = 1 + m·h, where m is 0 or 2.
    assert.deepEqual(new Set(first), new Set([1]));
    assert.deepEqual(new Set(second), new Set([1, 3]));
    assert.deepEqual(
      third,
      second.map((value) => (value === 1 ? 1 : 7)),
    );
    assertNear(moments(Float32Array.from(second)).mean, 2, 0.1);
  });

  for (const [name, layer, gates] of [
    ['an LSTM', { ...gated, kind: 'lstm', unitForgetBias: true }, 4],
    ['a GRU with the reset behind', { ...gated, kind: 'gru', resetAfter: true }, 3],
    ['a GRU with the reset before', { ...gated, kind: 'gru', resetAfter: false }, 3],
  ] as const) {
    it(`of ${name} are those of a plain RNN, on its inputs and on its state`, async () => {
      const [steps, units] = [4, gated.units];
      const shape = [steps, units];
      const random = randomStream(7, name);
      const draw = (length: number) => Float32Array.from({ length }, () => random.uniform() - 0.5);
      const input = draw(steps * units);
      const parameters = {
        kernel: draw(units * units * gates),
        recurrent_kernel: draw(units * units * gates),
      };
      const one = { shape, examples: 1 };
      const none = new Float32Array(units ** 2);
      const maskOf = async (dropped: object) => {
        const kernels = { kernel: identity(units), recurrent_kernel: identity(units) };
        const isOfInputs = 'dropout' in dropped;
        const given = isOfInputs ? { ...kernels, recurrent_kernel: none } : kernels;
        const found = await applied(rnn(units, dropped), { ...one, input: 1, parameters: given });
        // In the second step the state is 1.
        return found.slice(units, 2 * units).map((value) => (isOfInputs ? value : value - 1));
      };
      const [ofInputs, ofState] = [await maskOf({ dropout: 0.4 }), await maskOf({ recurrentDropout: 0.4 })];
      assert.notDeepEqual(ofInputs, ofState);
      const dropped = await applied(
        { ...layer, dropout: 0.4, recurrentDropout: 0.4 },
        { ...one, input, parameters },
      );
      const masked = await applied(layer, {
        ...one,
        input: input.map((value, at) => value * (ofInputs[at % units] as number)),
        parameters: {
          ...parameters,
          recurrent_kernel: parameters.recurrent_kernel.map(
            (value, at) => value * (ofState[Math.floor(at / (units * gates))] as number),
          ),
        },
      });
      for (const [at, value] of masked.entries()) assertNear(dropped[at] as number, value, 1e-5);
      assert.notDeepEqual(dropped, await applied(layer, { ...one, input, parameters }));
    });
  }

  it('of both directions are apart', async () => {
    const [steps, features] = [2, 12];
    const layer: Layer = {
      kind: 'bidirectional',
      name: 'both',
      layer: rnn(features, { dropout: 0.5 }),
      mergeMode: 'concat',
    };
    const none = new Float32Array(features ** 2);
    const found = await applied(layer, {
      ...{ input: 1, shape: [steps, features], examples: 1 },
      parameters: {
        ...{ forward_kernel: identity(features), forward_recurrent_kernel: none },
        ...{ backward_kernel: identity(features), backward_recurrent_kernel: none },
      },
    });
    assert.notDeepEqual(found.slice(0, features), found.slice(features, 2 * features));
  });

  it('of attention drop steps that a step is made of, and keep the mean', async () => {
    const [steps, features, rate] = [4, 3, 0.5];
    const layer: Layer = {
      kind: 'multiHeadAttention',
      name: 'attention',
      heads: 1,
      keyDim: features,
      valueDim: features,
      useBias: false,
      dropout: rate,
    };
    const none = new Float32Array(features ** 2);
    const found = await applied(layer, {
      ...{ input: 1, shape: [steps, features] },
      parameters: {
        ...{ 'query/kernel': none, 'key/kernel': none },
        ...{ 'value/kernel': identity(features), 'attention_output/kernel': identity(features) },
      },
    });
    // Each step is a mean of 4 ones, of which a half is dropped and the others are doubled.
    assert.deepEqual([...new Set(found)].sort(), [0, 0.5, 1, 1.5, 2]);
    const { mean, variance } = moments(found);
    assertNear(mean, 1, 0.03);
    assertNear(variance, rate / (1 - rate) / steps, 0.02);
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

/** Each primitive's vector-Jacobian product agrees with finite differences of its node, both run by ONNX Runtime. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  assertSlopes,
  EXAMPLES,
  extent,
  ofOne,
  ofShapes,
  ofTwo,
  type Problem,
} from '../../../test/slopes.js';
import { projectRoot, readSources } from '../../../test/sources.js';
import { sizeOf } from '../../core/weights.js';
import type { Extent } from '../graph/window-geometry.js';
import { add, div, maximum, minimum, mul, sub } from './arithmetic.js';
import { type ConvFormulation, convolve } from './convolution.js';
import {
  abs,
  clip,
  elu,
  erf,
  exp,
  leakyRelu,
  log,
  logSoftmax,
  rectify,
  relu,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  tanh,
} from './elementwise.js';
import { channelsFirst, fromChannelsFirst, laidOut } from './layout.js';
import { averagePool, maxPool } from './pooling.js';
import { multiplyRows } from './products.js';
import { reduceMax, reduceMean, reduceSum, standardize } from './reductions.js';
import { concat, expand, pad, reshape, transpose } from './shaping.js';
import { BATCH_AXIS, type Value } from './value.js';

const first = (value: Value) => laidOut(value, 'channels-first');

const PLAIN = { batchSize: undefined, blockSize: undefined, followedByRelu: false };
/** A window of 2×2 or 2×1 that moves by 1 or 2, with or without padding. */
const windows = (choose: number) => {
  const window: Extent = [2, 1 + (choose % 2)];
  const strides: Extent = [1 + ((choose >> 1) % 2), 1 + ((choose >> 2) % 2)];
  return { window, strides, padding: (choose >> 3) % 2 === 0 ? 'same' : 'valid' } as const;
};
const convolution = (formulation: ConvFormulation, from: (value: Value) => Value = laidOut) =>
  fc.boolean().chain((useBias) =>
    ofShapes(
      ([x, kernel, bias], choose) => {
        const operands = { x: from(x as Value), kernel: kernel as Value, bias };
        const layer = { ...windows(choose), kernel: [2, 2] as const, filters: 3 };
        return convolve(operands, layer, formulation);
      },
      [[BATCH_AXIS, 3, 4, 2], [2, 2, 2, 3], ...(useBias ? [[3]] : [])],
    ),
  );
const pool = (apply: typeof averagePool) =>
  ofOne((x, choose) => apply(x, { ...windows(choose), pool: windows(choose).window }), {
    shape: fc.constant([BATCH_AXIS, 3, 4, 2]),
  });

const image = fc.tuple(extent, extent, extent).map((rest) => [BATCH_AXIS, ...rest]);
const reduction = (choose: number, { shape }: Value) => {
  const axes = shape.flatMap((_, at) => (at > 0 && (choose >> at) % 2 === 1 ? [at] : []));
  return { axes: axes.length === 0 ? [shape.length - 1] : axes, keepAxes: choose % 2 === 1 };
};

const PROBLEMS: Readonly<Record<string, fc.Arbitrary<Problem>>> = {
  add: ofTwo(add),
  sub: ofTwo(sub),
  mul: ofTwo(mul),
  div: ofTwo(div, { lowest: 8 }),
  maximum: ofTwo((a, b) => maximum(a, add(b, 1 / 16))),
  minimum: ofTwo((a, b) => minimum(a, add(b, 1 / 16))),
  'arithmetic with numbers': ofOne((x) => sub(1, div(mul(add(x, 0.5), 3), 2))),
  sqrt: ofOne(sqrt, { lowest: 8 }),
  log: ofOne(log, { lowest: 8 }),
  exp: ofOne(exp),
  abs: ofOne(abs),
  relu: ofOne(relu),
  erf: ofOne(erf),
  sigmoid: ofOne(sigmoid),
  tanh: ofOne(tanh),
  softplus: ofOne(softplus),
  elu: ofOne(elu(0.75)),
  leakyRelu: ofOne(leakyRelu(0.25)),
  clip: ofOne((x) => clip(x, -0.5, 1)),
  rectify: ofOne((x, choose) =>
    rectify(x, { maxValue: choose % 3 === 0 ? null : 1, slope: choose % 2 === 0 ? 0 : 0.25, threshold: 0 }),
  ),
  // Not at it: there it jumps.
  'rectify on both sides of a threshold': ofOne((x) => {
    const bounds = { maxValue: 2, slope: 0.25, threshold: 0.5 };
    return add(rectify(add(abs(x), 0.75), bounds), rectify(sub(0.25, abs(x)), bounds));
  }),
  logSoftmax: ofOne(logSoftmax),
  softmax: ofOne(softmax),
  reshape: ofOne((x) => reshape(x, [BATCH_AXIS, sizeOf(x.shape.slice(1))])),
  transpose: ofOne(
    (x, choose) =>
      transpose(
        x,
        [
          [0, 1, 2, 3],
          [0, 2, 3, 1],
          [0, 3, 1, 2],
          [0, 3, 2, 1],
        ][choose % 4] ?? [],
      ),
    { shape: image },
  ),
  pad: ofOne(
    (x, choose) =>
      pad(x, [
        [0, 0],
        [0, 0],
        [choose % 2, 2],
        [0, choose % 3],
      ]),
    { shape: image },
  ),
  'pad that cuts off': ofOne(
    (x, choose) =>
      pad(x, [
        [0, 0],
        [1, 0],
        [-(choose % 2), -1],
        [0, 0],
      ]),
    {
      shape: fc.constant([BATCH_AXIS, 2, 3, 2]),
    },
  ),
  expand: ofOne((x, choose) =>
    expand(reshape(x, [...x.shape, 1, 1]), [...x.shape.map(() => 1), 2, 1 + (choose % 3)]),
  ),
  reduceMean: ofOne((x, choose) => reduceMean(x, reduction(choose, x))),
  reduceSum: ofOne((x, choose) => reduceSum(x, reduction(choose, x))),
  reduceMax: ofOne((x, choose) => reduceMax(x, reduction(choose, x))),
  'reduceMean of channels first': ofOne((x, choose) => reduceMean(first(x), reduction(choose, x)), {
    shape: image,
  }),
  'reduceMax of channels first': ofOne((x, choose) => reduceMax(first(x), reduction(choose, x)), {
    shape: image,
  }),
  standardize: ofOne(
    (x, choose) =>
      standardize(choose % 2 === 0 ? x : first(x), {
        axes: choose % 3 === 0 ? x.shape.map((_, at) => at).slice(0, -1) : reduction(choose, x).axes,
        epsilon: 2,
      }).standardized,
  ),
  multiplyRows: fc
    .boolean()
    .chain((useBias) =>
      ofShapes(
        ([x, kernel, bias]) => multiplyRows(x as Value, kernel as Value, bias),
        [[BATCH_AXIS, 3], [3, 2], ...(useBias ? [[2]] : [])],
      ),
    ),
  convolve: convolution(PLAIN),
  'convolve from channels first': convolution(PLAIN, first),
  'convolve of a known batch': convolution({ ...PLAIN, batchSize: EXAMPLES }),
  maxPool: pool((x, layer) =>
    maxPool(x, layer, { training: true, withoutPoolIndices: false, blockSize: undefined }),
  ),
  'maxPool without indices': pool((x, layer) =>
    maxPool(x, layer, { training: true, withoutPoolIndices: true, blockSize: undefined }),
  ),
  averagePool: pool(averagePool),
  'channels first and back': ofOne((x) => fromChannelsFirst(exp(channelsFirst(x)))),
  'pad of channels first': ofOne(
    (x, choose) =>
      pad(first(x), [
        [0, 0],
        [1, choose % 2],
        [0, 2],
        [choose % 3, 0],
      ]),
    { shape: image },
  ),
  'concat of channels first': ofOne((x) => concat([mul(first(x), x), x, first(x)], x.shape.length - 1)),
  'channels first with what is not': ofTwo((a, b) => add(mul(first(a), b), first(b))),
  'a value that is used twice': ofOne((x) => mul(x, add(tanh(x), x))),
};

describe('vector-Jacobian product', () => {
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    it(`of ${name} is the slope`, () =>
      fc.assert(
        fc.asyncProperty(problem, (each) => assertSlopes(each)),
        { numRuns: 6, seed: 3 },
      ));
  }

  it('of every operator is tried', async () => {
    const sources = readSources(join(projectRoot, 'lib/model/primitives'));
    const tests = sources.filter(({ path }) => path.endsWith('.test.ts'));
    const tried = tests.map(({ text }) => text.replaceAll(/^import [^;]*;$/gm, '')).join('');
    const names = sources
      .filter(({ path }) => /(arithmetic|elementwise|products|reductions|shaping|pooling)\.ts$/.test(path))
      .flatMap(({ text }) =>
        [...text.matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name),
      );
    assert.ok(names.length > 40, `${names.length}`);
    // Rows are taken by whole numbers, which have no slope; the sum of products is one of tensors.
    assert.deepEqual(
      names.filter((name) => !new RegExp(`\\b${name}\\b(?!')`).test(tried)),
      ['sumOfProducts', 'gatherRows'],
    );
  });

  it('would be seen to be wrong', async () => {
    const apply = (...[x]: readonly Value[]) => {
      const y = exp(x as Value);
      return { ...y, origin: { inputs: [x as Value], vjps: [(dy: string) => dy] } };
    };
    await assert.rejects(
      assertSlopes({ apply, shapes: [[BATCH_AXIS, 1]], numbers: [Float32Array.of(0.5, 1)] }),
      /slope/,
    );
  });
});

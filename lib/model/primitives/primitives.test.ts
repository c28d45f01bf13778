/** Each primitive's vector-Jacobian product agrees with finite differences of its node, both run by ONNX Runtime. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertSlopes, extent, ofOne, ofTwo, type Problem } from '../../../test/slopes.js';
import { sizeOf } from '../../core/weights.js';
import { add, div, mul, sub } from './arithmetic.js';
import {
  abs,
  clip,
  elu,
  erf,
  exp,
  leakyRelu,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  tanh,
} from './elementwise.js';
import { reduceMax, reduceMean } from './reductions.js';
import { expand, pad, reshape, transpose } from './shaping.js';
import { BATCH_AXIS, type Value } from './value.js';

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
  'arithmetic with numbers': ofOne((x) => sub(1, div(mul(add(x, 0.5), 3), 2))),
  sqrt: ofOne(sqrt, { lowest: 8 }),
  exp: ofOne(exp),
  abs: ofOne(abs),
  erf: ofOne(erf),
  sigmoid: ofOne(sigmoid),
  tanh: ofOne(tanh),
  softplus: ofOne(softplus),
  elu: ofOne(elu(0.75)),
  leakyRelu: ofOne(leakyRelu(0.25)),
  clip: ofOne((x) => clip(x, -0.5, 1)),
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
  reduceMax: ofOne((x, choose) => reduceMax(x, reduction(choose, x))),
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

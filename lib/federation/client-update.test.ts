import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WeightArray } from '../core/weights.js';
import type { Extras } from './client-side.js';
import { type ClientUpdate, validateUpdate } from './client-update.js';

const kernel: WeightArray = { name: 'dense/kernel:0', shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) };
const bias: WeightArray = { name: 'dense/bias:0', shape: [2], values: Float32Array.of(5, 6) };
const parent = 'ab'.repeat(32);
const good: ClientUpdate = { client: 3, round: 2, examples: 10, parent, weights: [kernel, bias] };
const expected = { parent, round: 2, like: [kernel, bias], accepted: new Set([0, 1]) };
const withArrays = (...weights: WeightArray[]): ClientUpdate => ({ ...good, weights });

describe('validateUpdate', () => {
  it('accepts a good update', () => assert.equal(validateUpdate(good, expected), null));

  const bad: readonly (readonly [string, ClientUpdate, string])[] = [
    ['another round', { ...good, round: 1 }, 'belongs to round 1, not 2'],
    [
      'another parent',
      { ...good, parent: 'cd'.repeat(32) },
      'started from another global model (sha256 cdcdcdcdcdcd…, not abababababab…)',
    ],
    ['no examples', { ...good, examples: 0 }, 'counts 0 examples'],
    ['examples that are no number', { ...good, examples: Number.NaN }, 'counts NaN examples'],
    ['a client that has reported', { ...good, client: 1 }, 'is a second update of client 1'],
    ['a missing array', withArrays(kernel), 'lacks the array dense/bias:0'],
    ['an array more', withArrays(kernel, bias, { ...bias, name: 'x' }), 'has an array more, x'],
    ['another name', withArrays(kernel, { ...bias, name: 'x' }), 'has the array x in place of dense/bias:0'],
    ['another order', withArrays(bias, kernel), 'has the array dense/bias:0 in place of dense/kernel:0'],
    [
      'another shape',
      withArrays({ ...kernel, shape: [4] }, bias),
      'has dense/kernel:0 of shape [4], not [2,2]',
    ],
    [
      'a transposed shape of the same size',
      withArrays({ ...kernel, shape: [1, 4] }, bias),
      'has dense/kernel:0 of shape [1,4], not [2,2]',
    ],
    [
      'another dtype',
      withArrays(kernel, { ...bias, values: Float64Array.of(5, 6) as unknown as Float32Array }),
      'has dense/bias:0 of another type than float32',
    ],
    [
      'fewer values than its shape',
      withArrays({ ...kernel, values: Float32Array.of(1) }, bias),
      'has 1 values in dense/kernel:0',
    ],
    [
      'NaN',
      withArrays(kernel, { ...bias, values: Float32Array.of(5, Number.NaN) }),
      'holds NaN in dense/bias:0 at position 1',
    ],
    [
      'infinity',
      withArrays({ ...kernel, values: Float32Array.of(1, 2, -Infinity, 4) }, bias),
      'holds -Infinity in dense/kernel:0 at position 2',
    ],
  ];
  for (const [what, update, reason] of bad) {
    it(`rejects ${what}`, () => assert.equal(validateUpdate(update, expected), reason));
  }

  const mean: WeightArray = { name: 'norm/moving_mean:0', shape: [1], values: Float32Array.of(0) };
  const needing = {
    ...expected,
    like: [kernel, bias, mean],
    extras: { steps: { kind: 'number', min: 1, max: 100 }, change: { kind: 'tensor' } },
  } as const;
  const carrying = (extras: Extras): ClientUpdate => ({ ...good, weights: needing.like, extras });
  const change = [kernel, bias];
  it('accepts what a strategy needs: numbers in bounds, tensors like the trainable arrays', () =>
    assert.equal(validateUpdate(carrying({ steps: 1.5, change, more: Number.NaN }), needing), null));

  const unfit: readonly (readonly [string, Extras, string])[] = [
    ['no extras', {}, 'lacks steps, which the strategy needs of each update'],
    ['a missing tensor', { steps: 2 }, 'lacks change, which the strategy needs of each update'],
    [
      'a number that is none',
      { steps: Number.NaN, change },
      'carries steps that is NaN, not between 1 and 100',
    ],
    ['infinity', { steps: Infinity, change }, 'carries steps that is Infinity, not between 1 and 100'],
    ['too small a number', { steps: 0.5, change }, 'carries steps that is 0.5, not between 1 and 100'],
    ['a tensor for a number', { steps: change, change }, 'carries steps that is no number'],
    ['a number for a tensor', { steps: 2, change: 1 }, 'carries change that is no tensor'],
    [
      'a tensor with statistics',
      { steps: 2, change: needing.like },
      'carries change that has an array more, norm/moving_mean:0',
    ],
    [
      'a tensor with NaN',
      { steps: 2, change: [kernel, { ...bias, values: Float32Array.of(5, Number.NaN) }] },
      'carries change that holds NaN in dense/bias:0 at position 1',
    ],
  ];
  for (const [what, extras, reason] of unfit) {
    it(`rejects ${what} where a strategy needs more`, () =>
      assert.equal(validateUpdate(carrying(extras), needing), reason));
  }
  it('rejects an update of before extras by name', () =>
    assert.equal(
      validateUpdate({ ...good, weights: needing.like }, needing),
      'lacks steps, which the strategy needs of each update',
    ));
});

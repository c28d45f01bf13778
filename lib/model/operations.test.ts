/** Rewrites of a model's operations, and the geometry of windows. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Padding } from './graph/window-geometry.js';
import { windowGeometry } from './graph/window-geometry.js';
import type { Layer } from './layers/registry.js';
import { sequential } from './model-description.js';
import { type OperationPlan, operationsBefore, planOperations } from './operations.js';

const plan = (layers: readonly Layer[]) =>
  planOperations(sequential({ name: 'm', inputShape: [8, 8, 1], layers }));
const kinds = ({ operations }: OperationPlan) =>
  operations.map(({ layer }) => (layer.kind === 'activation' ? layer.activation : layer.kind));
const dropout = (name: string, rate: number): Layer => ({ kind: 'dropout', name, rate });
const flatten: Layer = { kind: 'flatten', name: 'f' };
const dense: Layer = { kind: 'dense', name: 'd', units: 3, useBias: true, activation: 'softmax' };
const conv: Layer = {
  kind: 'conv2d',
  name: 'c',
  filters: 2,
  kernel: [3, 3],
  strides: [1, 1],
  padding: 'same',
  useBias: true,
  activation: 'relu',
};
const pool = (kind: 'maxPooling2d' | 'averagePooling2d'): Layer => ({
  kind,
  name: 'p',
  pool: [2, 2],
  strides: [2, 2],
  padding: 'valid',
});

describe('planOperations', () => {
  it('sets activations apart and moves relu behind a max pool, never behind an average', () => {
    assert.deepEqual(kinds(plan([conv, pool('maxPooling2d'), flatten, dense])), [
      'conv2d',
      'maxPooling2d',
      'relu',
      'flatten',
      'dense',
      'softmax',
    ]);
    assert.deepEqual(kinds(plan([conv, pool('averagePooling2d')])), ['conv2d', 'relu', 'averagePooling2d']);
  });

  it('merges dropouts that only a Flatten separates', () => {
    const rates = (layers: readonly Layer[]) =>
      plan(layers).operations.flatMap(({ layer }) => (layer.kind === 'dropout' ? [layer.rate] : []));
    assert.deepEqual(rates([dropout('a', 0.25), flatten, dropout('b', 0.5)]), [0.625]);
    assert.deepEqual(rates([dropout('a', 0.5), dropout('b', 0.5), dropout('c', 0.5)]), [0.875]);
    assert.deepEqual(rates([dropout('a', 0.25), flatten, dense, dropout('b', 0.5)]), [0.25, 0.5]);
  });

  it('drops linear activations', () => {
    assert.deepEqual(plan([{ kind: 'activation', name: 'a', activation: 'linear' }]), {
      operations: [],
      outputs: ['input'],
    });
  });
});

const EMPTY: OperationPlan = { operations: [], outputs: [] };

describe('operationsBefore', () => {
  it('ends before the activation, and needs it', () => {
    assert.deepEqual(kinds(operationsBefore(plan([flatten, dense]), 'softmax') ?? EMPTY), [
      'flatten',
      'dense',
    ]);
    assert.equal(operationsBefore(plan([flatten]), 'softmax'), undefined);
    assert.equal(operationsBefore(plan([flatten, dense]), 'sigmoid'), undefined);
    assert.equal(operationsBefore(EMPTY, 'softmax'), undefined);
  });
});

describe('windowGeometry', () => {
  it("has TensorFlow's numbers", () => {
    const geometry = (size: number, window: number, stride: number, padding: Padding) => {
      const { output, padBefore, padAfter, uncovered } = windowGeometry([size, size], {
        window: [window, window],
        strides: [stride, stride],
        padding,
      });
      return [output[0], padBefore[0], padAfter[0], uncovered[0]];
    };
    assert.deepEqual(geometry(28, 3, 1, 'valid'), [26, 0, 0, 0]);
    assert.deepEqual(geometry(28, 3, 1, 'same'), [28, 1, 1, 0]);
    assert.deepEqual(geometry(28, 2, 2, 'same'), [14, 0, 0, 0]);
    assert.deepEqual(geometry(7, 2, 2, 'same'), [4, 0, 1, 0]);
    assert.deepEqual(geometry(8, 3, 2, 'valid'), [3, 0, 0, 1]);
  });

  it('accounts for every pixel', () => {
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(
        size,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom<Padding>('same', 'valid'),
        (pixels, window, stride, padding) => {
          fc.pre(padding === 'same' || window <= pixels);
          const { output, padBefore, padAfter, uncovered } = windowGeometry([pixels, pixels], {
            window: [window, window],
            strides: [stride, stride],
            padding,
          });
          assert.equal((output[0] - 1) * stride + window + uncovered[0], pixels + padBefore[0] + padAfter[0]);
          assert.ok(uncovered[0] >= 0 && padAfter[0] - padBefore[0] <= 1 && padAfter[0] >= padBefore[0]);
        },
      ),
    );
  });
});

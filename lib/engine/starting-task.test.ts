/** What a model is for: by the loss that is asked for, by what it was compiled with, by how it ends; contradictions name both sides. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dense, flatten, imageModel } from '../../test/layers.js';
import { DataError, UsageError } from '../core/errors.js';
import { type Examples, type ExampleTargets, labelledImages, onlyTargets } from '../federation/examples.js';
import { parseLoss } from '../federation/loss.js';
import { metricsCalled } from '../federation/metrics.js';
import type { ActivationName } from '../model/layers/activation.js';
import { batchInputs } from '../model/model-input.js';
import { headFor } from '../model/tasks/task.js';
import { startingTask, taskNotes } from './starting-task.js';

const compiled = (loss: unknown) => ({
  trainingConfig: JSON.stringify({
    optimizer_config: { class_name: 'SGD', config: { learning_rate: 0.1 } },
    loss,
  }),
});
const endingIn = (units: number, activation: ActivationName = 'linear') => ({
  description: imageModel([flatten, dense('out', units, activation)], [2, 2, 1]),
});
const labels = (...values: readonly number[]): ExampleTargets => ({
  shape: [values.length],
  values: Int32Array.from(values),
});
const numbers = (size: number, ...values: readonly number[]): ExampleTargets => ({
  shape: [values.length / size, size],
  values: Float32Array.from(values),
});
const holds = (size: number, ...values: readonly number[]): ExampleTargets => ({
  shape: [values.length / size, size],
  values: Uint8Array.from(values),
});
function examplesWith(targets: ExampleTargets): Examples {
  const count = targets.shape[0] as number;
  return {
    ...labelledImages([count, 2, 2], new Uint8Array(count * 4), new Int32Array(count)),
    targets: onlyTargets(targets),
  };
}

interface Asked {
  readonly loss?: string;
  readonly file?: { readonly trainingConfig?: string };
}
function task(model: ReturnType<typeof endingIn>, targets: ExampleTargets, { loss, file = {} }: Asked = {}) {
  const asked = loss === undefined ? undefined : parseLoss(loss);
  return startingTask(
    { model, file, path: 'm.h5' },
    { examples: examplesWith(targets), data: 'd.npz', asked },
  ).task;
}

describe('the task', () => {
  for (const [what, found, name, note] of [
    ['a softmax', task(endingIn(3, 'softmax'), labels(0, 2)), 'classification', undefined],
    ['one sigmoid', task(endingIn(1, 'sigmoid'), labels(0, 1)), 'binary', /since the model ends in sigmoid/],
    ['sigmoids', task(endingIn(2, 'sigmoid'), holds(2, 1, 1)), 'multi-label', /binary_crossentropy, since/],
    [
      'no activation',
      task(endingIn(2), numbers(2, 1.5, 2)),
      'regression',
      /mse, since the model ends in linear/,
    ],
    [
      'logits that were compiled',
      task(endingIn(3), labels(0, 2), {
        file: compiled({ class_name: 'SparseCategoricalCrossentropy', config: { from_logits: true } }),
      }),
      'classification',
      /categorical_crossentropy:from_logits, as the model was compiled/,
    ],
    [
      'a loss that was compiled and another one that is asked for',
      task(endingIn(1), numbers(1, 4), { file: compiled('mse'), loss: 'mae' }),
      'regression',
      /regression by the loss mae, as asked for/,
    ],
    ['counts as labels', task(endingIn(1), labels(0, 7), { loss: 'poisson' }), 'regression', /poisson/],
  ] as const) {
    it(`of ${what} is ${name}`, () => {
      assert.equal(found.outputs[0].name, name);
      const [told] = taskNotes(found);
      if (note === undefined) assert.equal(told, undefined);
      else assert.match(`${told}`, note);
    });
  }

  const entropy = (config: object) => ({
    class_name: 'CategoricalCrossentropy',
    config: { axis: -1, ...config },
  });
  for (const [loss, expected] of [
    ['sparse_categorical_crossentropy', { name: 'categorical_crossentropy' }],
    ['SparseCategoricalCrossentropy', { name: 'categorical_crossentropy' }],
    [['categorical_crossentropy'], { name: 'categorical_crossentropy' }],
    [
      entropy({ name: 'c', reduction: 'sum_over_batch_size', from_logits: false, label_smoothing: 0 }),
      { name: 'categorical_crossentropy' },
    ],
    [
      entropy({ label_smoothing: Math.fround(0.1) }),
      { name: 'categorical_crossentropy', labelSmoothing: 0.1 },
    ],
    [null, { name: 'categorical_crossentropy' }],
  ] as const) {
    it(`has the loss that was compiled: ${JSON.stringify(loss)}`, () => {
      assert.deepEqual(
        task(endingIn(2, 'softmax'), labels(1), { file: compiled(loss) }).outputs[0].loss,
        expected,
      );
    });
  }

  it('is refused where its loss is none of ours, unless another one is asked for', () => {
    for (const [loss, words] of [
      ['hinge', '"hinge"'],
      [entropy({ reduction: 'sum' }), 'CategoricalCrossentropy with reduction "sum"'],
    ] as const) {
      assert.throws(() => task(endingIn(2, 'softmax'), labels(1), { file: compiled(loss) }), {
        name: UsageError.name,
        message: new RegExp(
          `m\\.h5 was compiled with a loss that fedbatch does not have: ${words}\\. Choose one of`,
        ),
      });
      const asked = { file: compiled(loss), loss: 'categorical_crossentropy' };
      assert.equal(task(endingIn(2, 'softmax'), labels(1), asked).outputs[0].name, 'classification');
    }
  });

  for (const [what, make, sentence] of [
    [
      'numbers for a softmax',
      () => task(endingIn(3, 'softmax'), numbers(1, 0.5)),
      /d\.npz: expected labels, for a model that tells 3 classes apart, found a number for each example/,
    ],
    [
      'a label without a class',
      () => task(endingIn(3, 'softmax'), labels(3)),
      /d\.npz: expected labels from 0 to 2, the classes of the model, found label 3/,
    ],
    [
      'logits for labels',
      () => task(endingIn(3), labels(2, 0)),
      /m\.h5: expected a classifier that ends in a softmax, for the labels of d\.npz, found logits of the last layer, out\. To mend it: keras/,
    ],
    [
      'classes for one sigmoid',
      () => task(endingIn(1, 'sigmoid'), labels(0, 2)),
      /d\.npz: expected labels 0 and 1, for a model with one sigmoid, found label 2/,
    ],
    [
      'another number of numbers',
      () => task(endingIn(2), numbers(3, 1, 2, 3)),
      /d\.npz: expected 2 numbers for each example, as many as the model has outputs, found 3 numbers for each example/,
    ],
    [
      'numbers beyond a sigmoid',
      () => task(endingIn(1, 'sigmoid'), numbers(1, 3)),
      /d\.npz: expected targets from 0 to 1, for a model that ends in a sigmoid, found 3/,
    ],
    [
      'logits that are none',
      () => task(endingIn(2, 'softmax'), labels(1), { loss: 'categorical_crossentropy:from_logits' }),
      /m\.h5: expected logits, for the loss categorical_crossentropy:from_logits, found a model that ends in softmax/,
    ],
    [
      'a loss for another end',
      () => task(endingIn(2, 'softmax'), labels(1), { loss: 'binary_crossentropy' }),
      /m\.h5: expected a model that ends in a sigmoid, for the loss binary_crossentropy, found the last layer out with softmax/,
    ],
  ] as const) {
    it(`is refused with ${what}`, () => assert.throws(make, { name: DataError.name, message: sentence }));
  }

  it('is refused with a number that an embedding has no row for', () => {
    const words = { kind: 'embedding', name: 'words', below: 5, units: 2, maskZero: false } as const;
    const description = imageModel([words, flatten, dense('out', 3, 'softmax')], [2]);
    const judged = (...values: readonly number[]) =>
      startingTask(
        { model: { description }, file: {}, path: 'm.h5' },
        {
          examples: {
            inputs: [{ name: 'x', shape: [values.length / 2, 2], values: Int32Array.from(values) }],
            targets: onlyTargets(labels(0, 2)),
          },
          data: 'd.npz',
          asked: undefined,
        },
      );
    assert.equal(judged(0, 4, 1, 2).task.outputs[0].name, 'classification');
    for (const odd of [5, -1])
      assert.throws(() => judged(0, 4, odd, 2), {
        name: DataError.name,
        message: new RegExp(
          `d\\.npz: expected whole numbers from 0 to 4, the rows of .* embedding, found ${odd}`,
        ),
      });
  });

  it('leaves numbers that an embedding looks up as they are, though they are stored as pictures are', () => {
    const words = { kind: 'embedding', name: 'words', below: 5, units: 2, maskZero: false } as const;
    const description = imageModel([words, flatten, dense('out', 3, 'softmax')], [2, 2]);
    const inputs = [{ name: 'x', shape: [2, 2, 2], values: Uint8Array.of(0, 4, 1, 2, 3, 3, 0, 1) }] as const;
    const { examples } = startingTask(
      { model: { description }, file: {}, path: 'm.h5' },
      { examples: { inputs, targets: onlyTargets(labels(0, 2)) }, data: 'd.npz', asked: undefined },
    );
    assert.deepEqual(batchInputs(examples, [1, 0]), [Float32Array.of(3, 3, 0, 1, 0, 4, 1, 2)]);
  });

  it('reports the metrics that are named, by the task or else by the model, and knows those that it has', () => {
    const reported = (named: readonly string[], { file = [] }: { readonly file?: readonly string[] } = {}) =>
      startingTask(
        { model: endingIn(2), file: { metrics: file }, path: 'm.h5' },
        {
          examples: examplesWith(numbers(2, 1.5, 2)),
          data: 'd.npz',
          asked: undefined,
          ...(named.length > 0 ? { metrics: named } : {}),
        },
      ).task.metrics;
    assert.deepEqual(reported(['r2', 'loss', 'mae']), ['r2', 'loss', 'mae']);
    assert.deepEqual(reported([], { file: ['mae'] }), ['mae']);
    assert.deepEqual(reported(['r2'], { file: ['mae'] }), ['r2']);
    assert.equal(task(endingIn(2), numbers(2, 1, 2)).metrics, undefined);
    assert.throws(() => reported(['mae', 'f1']), {
      name: DataError.name,
      message: /m\.h5: expected metrics of regression \(loss, rmse, mae, rmspe, r2\), found "f1"/,
    });
    const outputs = [
      { name: 'regression', output: 'price' },
      { name: 'binary', output: 'sold' },
    ] as const;
    assert.deepEqual(metricsCalled('price_mae', outputs), ['price_mae']);
    assert.deepEqual(metricsCalled('sold_loss', outputs), ['sold_loss']);
    assert.deepEqual(metricsCalled('auc', outputs), ['sold_auc']);
    assert.deepEqual(metricsCalled('loss', outputs), ['loss']);
    assert.deepEqual(metricsCalled('price_auc', outputs), []);
  });

  it('gives a new model its end', () => {
    const asked = (text: string) => ({ asked: parseLoss(text) });
    assert.deepEqual(headFor(labels(0, 4), {}), { outputs: 5, activation: 'softmax' });
    assert.deepEqual(headFor(labels(0, 4), { classes: 9 }), { outputs: 9, activation: 'softmax' });
    assert.deepEqual(headFor(labels(0, 1), asked('binary_crossentropy')), {
      outputs: 1,
      activation: 'sigmoid',
    });
    assert.deepEqual(headFor(holds(3, 1, 1, 0), {}), { outputs: 3, activation: 'sigmoid' });
    assert.deepEqual(headFor(numbers(2, 1, 2), {}), { outputs: 2, activation: 'linear' });
    assert.deepEqual(headFor(labels(7), asked('poisson')), { outputs: 1, activation: 'exponential' });
  });
});

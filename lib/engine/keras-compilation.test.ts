/** What a model was compiled with is read from a file as it was written into it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LOSS_NAMES, type LossSettings } from '../federation/loss.js';
import { OPTIMIZER_NAMES } from '../model/optimizers/optimizer-names.js';
import { readCompiledOptimizer, readLosses, writeCompilation } from './keras-compilation.js';
import { optimizerOf } from './local-training.js';

const positive = fc.integer({ min: 1, max: 9999 }).map((value) => value / 1000);
const share = fc.integer({ min: 1, max: 99 }).map((value) => value / 100);
const losses = fc.oneof(
  fc.constantFrom(...LOSS_NAMES).map((name): LossSettings => ({ name })),
  positive.map((delta): LossSettings => ({ name: 'huber', delta })),
  fc.record(
    {
      name: fc.constantFrom('categorical_crossentropy' as const, 'binary_crossentropy' as const),
      fromLogits: fc.constant(true),
      labelSmoothing: share,
    },
    { requiredKeys: ['name'], noNullPrototype: true },
  ),
);
const optimizers = fc
  .record(
    {
      optimizer: fc.constantFrom(...OPTIMIZER_NAMES),
      learningRate: positive,
      momentum: share,
      nesterov: fc.boolean(),
      weightDecay: share,
      clipGradientNorm: positive,
    },
    { requiredKeys: ['optimizer', 'learningRate'], noNullPrototype: true },
  )
  .map(optimizerOf);

describe('a compilation', () => {
  it('is read as it was written, whatever the loss and the optimizer', () => {
    fc.assert(
      fc.property(losses, optimizers, (loss, optimizer) => {
        const written = writeCompilation({ loss, optimizer });
        assert.deepEqual(readCompiledOptimizer(written, 'm.h5'), optimizer);
        assert.deepEqual(readLosses(written, { file: 'm.h5', outputs: ['y'] }), [loss]);
      }),
    );
  });

  it('keeps the optimizer of a compiled model', () => {
    const [sgd, adam] = (['sgd', 'adam'] as const).map((optimizer) =>
      optimizerOf({ optimizer, learningRate: 0.1 }),
    );
    assert.ok(sgd !== undefined && adam !== undefined);
    const before = writeCompilation({ loss: { name: 'mse' }, optimizer: sgd });
    const after = writeCompilation({ loss: { name: 'mae' }, optimizer: adam }, before);
    assert.deepEqual(readCompiledOptimizer(after, 'm.h5'), sgd);
    assert.deepEqual(readLosses(after, { file: 'm.h5', outputs: ['y'] }), [{ name: 'mae' }]);
  });

  it('has the losses of several outputs as Keras writes them: one for all, a list, by name; weights likewise', () => {
    const read = (loss: unknown, weights?: unknown) =>
      readLosses(
        JSON.stringify({
          optimizer_config: { class_name: 'SGD', config: { learning_rate: 0.1 } },
          loss,
          loss_weights: weights,
        }),
        { file: 'm.h5', outputs: ['a', 'b'] },
      );
    const [mse, mae] = [{ name: 'mse' }, { name: 'mae' }];
    assert.equal(read(null), undefined);
    assert.deepEqual(read('mse'), [mse, mse]);
    assert.deepEqual(read(['mse', 'mae'], [2, 1]), [{ ...mse, weight: 2 }, mae]);
    assert.deepEqual(read({ b: 'mae', a: { class_name: 'MeanSquaredError', config: {} } }, { b: 0.5 }), [
      mse,
      { ...mae, weight: 0.5 },
    ]);
    // Keras 2 writes an empty object, or nulls, where nothing was given.
    assert.deepEqual(read('mse', {}), [mse, mse]);
    for (const [loss, weights, sentence] of [
      [{ a: 'mse' }, undefined, /m\.h5 was compiled without a loss for its output b: compile it/],
      [['mse'], undefined, /compiled with losses for 1 output, and its outputs are a, b: compile it/],
      [{ a: 'mse', c: 'mse' }, undefined, /compiled with losses for a, c, and its outputs are a, b/],
      ['mse', [1, 2, 3], /compiled with loss weights for 3 outputs, and its outputs are a, b/],
    ] as const)
      assert.throws(() => read(loss, weights), sentence);
  });

  it('has the losses of several outputs by name, and keeps those of before with their weights', () => {
    const optimizer = optimizerOf({ optimizer: 'sgd', learningRate: 0.1 });
    const place = { file: 'm.h5', outputs: ['a', 'b'] };
    const own = [{ name: 'huber', delta: 2 } as const, { name: 'mae', weight: 0.25 } as const];
    const loss = own.map((each, at) => ({ output: `${place.outputs[at]}`, loss: each }));
    const written = writeCompilation({ loss, optimizer });
    assert.deepEqual(readLosses(written, place), own);
    assert.deepEqual(readLosses(writeCompilation({ loss: undefined, optimizer }, written), place), own);
    const asked = [undefined, { name: 'mse' } as const];
    assert.deepEqual(readLosses(written, { ...place, asked }), [own[0], { name: 'mse' }]);
    const partly = JSON.stringify({ ...JSON.parse(written), loss: { a: 'mae' } });
    assert.deepEqual(readLosses(partly, { ...place, asked }), [{ name: 'mae' }, { name: 'mse' }]);
  });

  it('names the loss of labels as Keras does, which has another one for rows of probabilities', () => {
    const nameOf = (loss: LossSettings) => {
      const written = JSON.parse(
        writeCompilation({ loss, optimizer: optimizerOf({ optimizer: 'adam', learningRate: 0.1 }) }),
      );
      return written.loss.class_name ?? written.loss;
    };
    assert.equal(nameOf({ name: 'categorical_crossentropy' }), 'SparseCategoricalCrossentropy');
    assert.equal(
      nameOf({ name: 'categorical_crossentropy', fromLogits: true }),
      'SparseCategoricalCrossentropy',
    );
    assert.equal(
      nameOf({ name: 'categorical_crossentropy', labelSmoothing: 0.1 }),
      'CategoricalCrossentropy',
    );
  });
});

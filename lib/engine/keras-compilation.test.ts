/** What a model was compiled with is read from a file as it was written into it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LOSS_NAMES, type LossSettings } from '../federation/loss.js';
import { OPTIMIZER_NAMES } from '../model/optimizers/optimizer-names.js';
import { readCompilation, writeCompilation } from './keras-compilation.js';
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
        const read = readCompilation(writeCompilation({ loss, optimizer }), 'm.h5');
        assert.deepEqual(read, { loss, optimizer });
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
    assert.deepEqual(readCompilation(after, 'm.h5'), { loss: { name: 'mae' }, optimizer: sgd });
  });

  it('names the loss of labels as Keras does, which has another one for rows of probabilities', () => {
    const nameOf = (loss: LossSettings) => {
      const written = JSON.parse(
        writeCompilation({ loss, optimizer: optimizerOf({ optimizer: 'adam', learningRate: 0.1 }) }),
      );
      return written.loss.class_name ?? written.loss;
    };
    assert.equal(nameOf({ name: 'categorical_crossentropy' }), 'sparse_categorical_crossentropy');
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

/** A compiled model brings its optimizer: flags win, what cannot be had is refused by name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fixturePath } from '../../test/keras-fixtures.js';
import { DataError, UsageError } from '../core/errors.js';
import { readKerasFile } from '../formats/keras/keras-hdf5.js';
import type { OptimizerFlags } from '../settings/parts/training.js';
import { startingOptimizer } from './starting-optimizer.js';

const path = 'm.h5';
const compiled = (optimizer: object) => ({
  trainingConfig: JSON.stringify({
    optimizer_config: optimizer,
    loss: 'sparse_categorical_crossentropy',
    metrics: ['accuracy'],
  }),
});
const adam = (given: object) => ({
  class_name: 'Custom>Adam',
  config: {
    name: 'Adam',
    learning_rate: 0.0020000000949949026,
    beta_1: 0.9,
    beta_2: 0.99,
    epsilon: 1e-4,
    ...given,
  },
});
const sgd = (given: object = {}) => ({
  class_name: 'SGD',
  config: { name: 'SGD', learning_rate: 0.05, momentum: 0.8, nesterov: false, decay: 0, ...given },
});
const start = (optimizer: object, flags: OptimizerFlags = {}) =>
  startingOptimizer(flags, { file: compiled(optimizer), path });

describe('the optimizer of a file', () => {
  for (const [name, expected] of [
    ['keras2-batchnorm-sgd', { kind: 'sgd', learningRate: 0.01, momentum: 0 }],
    ['keras3-batchnorm-sgd', { kind: 'sgd', learningRate: 0.01, momentum: 0 }],
    ['keras2-cnn-adam', { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }],
    ['keras3-cnn-adam', { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }],
    ['keras122-cnn', { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }],
    ['keras208-cnn', { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }],
    ['keras224-cnn', { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }],
  ] as const) {
    it(`of ${name} is the one that Keras compiled it with`, async () => {
      const { optimizer, notes } = startingOptimizer(
        {},
        { file: await readKerasFile(fixturePath(`${name}.h5`)), path },
      );
      assert.deepEqual(optimizer, expected);
      assert.match(notes.join(), new RegExp(`^optimizer ${expected.kind} with .*, as m\\.h5 was compiled$`));
    });
  }

  it('is the default one where a model is not compiled', async () => {
    const file = await readKerasFile(fixturePath('keras3-mlp-uncompiled.h5'));
    const { optimizer, notes } = startingOptimizer({}, { file, path });
    assert.deepEqual(optimizer, {
      kind: 'adam',
      learningRate: 0.001,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
    });
    assert.deepEqual(notes, []);
  });

  it('gives way to flags, each for itself, and says so', () => {
    assert.deepEqual(start(sgd(), { learningRate: 0.3 }), {
      optimizer: { kind: 'sgd', learningRate: 0.3, momentum: 0.8 },
      notes: [
        'optimizer sgd with learning rate 0.3 and momentum 0.8, as m.h5 was compiled, but for the learning rate',
      ],
    });
    assert.deepEqual(start(sgd(), { momentum: 0 }).optimizer, {
      kind: 'sgd',
      learningRate: 0.05,
      momentum: 0,
    });
    assert.deepEqual(start(adam({}), { optimizer: 'sgd' }), {
      optimizer: { kind: 'sgd', learningRate: 0.01, momentum: 0.9 },
      notes: [
        'optimizer sgd with learning rate 0.01 and momentum 0.9 takes the place of the one that m.h5 was compiled with',
      ],
    });
  });

  for (const [what, optimizer, expected] of [
    ['Nesterov', sgd({ nesterov: true }), { nesterov: true }],
    [
      'the decay of Keras 1',
      sgd({ decay: 0.1 }),
      { schedule: { name: 'InverseTimeDecay', steps: 1, rate: 0.1 } },
    ],
    ['clipping', sgd({ clipnorm: 1 }), { clipGradientNorm: 1 }],
    ['AMSGrad', adam({ amsgrad: true }), { amsgrad: true }],
    ['decayed weights', adam({ weight_decay: 0.004 }), { weightDecay: 0.004 }],
    ['a weight decay of 0 and no clipping', sgd({ weight_decay: 0, clipvalue: null }), {}],
    [
      'mixed precision',
      { class_name: 'LossScaleOptimizer', config: { inner_optimizer: sgd(), dynamic_growth_steps: 2000 } },
      {},
    ],
  ] as const) {
    it(`with ${what} is taken as it is`, () => {
      const plain = start(/AMSGrad|decayed/.test(what) ? adam({}) : sgd());
      assert.deepEqual(start(optimizer).optimizer, { ...plain.optimizer, ...expected });
    });
  }

  it('loses its schedule to a learning rate, and its clip to another one', () => {
    const learningRate = {
      class_name: 'ExponentialDecay',
      config: { initial_learning_rate: 0.1, decay_steps: 100, decay_rate: 0.5, staircase: true, name: null },
    };
    const schedule = { name: 'ExponentialDecay', steps: 100, rate: 0.5, staircase: true } as const;
    const scheduled = sgd({ learning_rate: learningRate, clipvalue: 2 });
    const compiled = {
      kind: 'sgd',
      learningRate: 0.1,
      momentum: 0.8,
      schedule,
      clipGradientValue: 2,
    } as const;
    assert.deepEqual(start(scheduled), {
      optimizer: compiled,
      notes: [
        'optimizer sgd with learning rate 0.1, schedule ExponentialDecay over the steps of a round, momentum 0.8 ' +
          'and clip gradient value 2, as m.h5 was compiled',
      ],
    });
    const { schedule: _, clipGradientValue: _value, ...others } = compiled;
    assert.deepEqual(start(scheduled, { learningRate: 0.3, clipGradientNorm: 1 }).optimizer, {
      ...others,
      learningRate: 0.3,
      clipGradientNorm: 1,
    });
  });

  for (const [what, optimizer, reason] of [
    [
      'another kind',
      { class_name: 'Sparse', config: { learning_rate: 0.1 } },
      /the optimizer Sparse is not one of Adam, SGD, AdamW, RMSprop, Adagrad, Adamax, Nadam, Adadelta and Lion/,
    ],
    ['a strange momentum', sgd({ momentum: 2 }), /expected momentum to be a share from 0 to 1, found 2/],
    ['averaged weights', adam({ use_ema: true }), /optimizer Adam: use_ema true is not supported/],
    [
      'a schedule',
      adam({ learning_rate: { class_name: 'NoamDecay', config: { scale: 2 } } }),
      /learning_rate NoamDecay \{"scale":2\} is not supported, only a number or one of the schedules Expo/,
    ],
    [
      'restarts within a step',
      sgd({
        learning_rate: {
          class_name: 'CosineDecayRestarts',
          config: { initial_learning_rate: 0.1, first_decay_steps: 1e-300, t_mul: 1 },
        },
      }),
      /expected first_decay_steps to be a number of at least 1, found 1e-300/,
    ],
  ] as const) {
    it(`with ${what} is refused by name, unless a flag chooses`, () => {
      assert.throws(
        () => start(optimizer),
        (error: unknown) =>
          error instanceof UsageError &&
          reason.test(error.message) &&
          /^m\.h5 .* optimizer that fedbatch does not have.*Choose one of adam, sgd, adamw/.test(
            error.message,
          ),
      );
      assert.equal(start(optimizer, { optimizer: 'adam' }).optimizer.kind, 'adam');
    });
  }

  it('is a fault of the file where it is none', () => {
    const damaged = { file: { trainingConfig: '{"loss": "mse"}' }, path };
    assert.throws(() => startingOptimizer({}, damaged), DataError);
  });
});

describe('the numbers of a file', () => {
  const note = (dtype: unknown) => {
    const layers = [{ class_name: 'Dense', config: { name: 'd', units: 2, dtype } }];
    const modelConfig = { class_name: 'Sequential', config: { name: 's', layers } };
    return startingOptimizer({}, { file: { modelConfig }, path }).notes;
  };

  it('are told where they are not float32', () => {
    const policy = { class_name: 'DTypePolicy', config: { name: 'mixed_float16' }, module: 'keras' };
    assert.deepEqual(note(policy), ['m.h5 is a model in mixed_float16: the training here is in float32']);
    assert.deepEqual(note('float32'), []);
  });
});

/** Initializers: what Keras' classes mean, and that what is drawn has the mean, deviation and bounds that they state. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { randomStream } from '../../core/random.js';
import { draw } from '../initializers.js';
import { readInitializer } from './keras-initializers.js';

const SHAPE = [3, 3, 20, 100];
/** Inputs and outputs of such a kernel. */
const [FAN_IN, FAN_OUT] = [180, 900];

const of = (class_name: string, config: object = {}) => ({ class_name, config });

for (const [keras, deviation, bound] of [
  [of('GlorotUniform'), Math.sqrt(2 / (FAN_IN + FAN_OUT)), Math.sqrt(6 / (FAN_IN + FAN_OUT))],
  ['glorot_uniform', Math.sqrt(2 / (FAN_IN + FAN_OUT)), Math.sqrt(6 / (FAN_IN + FAN_OUT))],
  [of('HeNormal'), Math.sqrt(2 / FAN_IN), (2 * Math.sqrt(2 / FAN_IN)) / 0.8796],
  ['he_normal', Math.sqrt(2 / FAN_IN), (2 * Math.sqrt(2 / FAN_IN)) / 0.8796],
  [of('LecunUniform'), Math.sqrt(1 / FAN_IN), Math.sqrt(3 / FAN_IN)],
  [of('RandomNormal', { stddev: 2 }), 2, Number.POSITIVE_INFINITY],
  [of('TruncatedNormal', { stddev: 2 }), 2 * 0.8796, 4],
  [of('RandomUniform', { minval: -3, maxval: 3 }), Math.sqrt(3), 3],
  [
    of('VarianceScaling', { scale: 4, mode: 'fan_out', distribution: 'uniform' }),
    Math.sqrt(4 / FAN_OUT),
    Math.sqrt(12 / FAN_OUT),
  ],
  [of('Zeros'), 0, 0],
] as const) {
  const name = typeof keras === 'string' ? keras : `${keras.class_name} ${JSON.stringify(keras.config)}`;
  it(`${name} draws around 0 with its deviation, within its bounds`, () => {
    const initializer = readInitializer(keras);
    assert.ok(initializer !== undefined);
    const values = draw(initializer, SHAPE, randomStream(1, 'initializers'));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    assert.ok(Math.abs(mean) <= 0.03 * deviation, `mean ${mean}`);
    assert.ok(
      Math.abs(Math.sqrt(variance) - deviation) <= 0.03 * deviation,
      `deviation ${Math.sqrt(variance)}`,
    );
    assert.ok(values.every((value) => Math.abs(value) <= bound * 1.0001));
  });
}

it('Constant is its value, Ones is one, and what is not known is nothing', () => {
  assert.deepEqual(readInitializer(of('Constant', { value: 0.5 })), { kind: 'constant', value: 0.5 });
  assert.deepEqual(readInitializer(of('Ones')), { kind: 'constant', value: 1 });
  for (const other of [of('Orthogonal'), of('toString'), 'mine', null, 3, of('Constant', { value: 'much' })])
    assert.equal(readInitializer(other), undefined);
});

/** Activation and Softmax: functions of each element, and of a row; and the setting by which layers have one. */

import { ModelError } from '../../core/errors.js';
import { asKerasObject, KerasSettings, requireKerasClass } from '../keras/keras-settings.js';
import { add, div, mul } from '../primitives/arithmetic.js';
import {
  abs,
  clip,
  elu,
  erf,
  exp,
  leakyRelu,
  logSoftmax,
  relu,
  sigmoid,
  softmax,
  softplus,
  tanh,
} from '../primitives/elementwise.js';
import { transpose } from '../primitives/shaping.js';
import type { Value } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import {
  fixed,
  type KerasClass,
  type LayerSetting,
  type LayerWith,
  readFields,
  setting,
  unlessDefault,
} from './settings.js';

/** The forward pass of each activation. */
const FORWARD = {
  linear: (x) => x,
  relu,
  softmax,
  sigmoid,
  tanh,
  elu: elu(1),
  // Klambauer et al. 2017, arXiv 1706.02515.
  selu: (x) => mul(elu(1.6732632423543772)(x), 1.0507009873554805),
  // Hendrycks and Gimpel 2016, arXiv 1606.08415, with the error function itself.
  gelu: (x) => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1)),
  softplus,
  softsign: (x) => div(x, add(abs(x), 1)),
  swish: (x) => mul(x, sigmoid(x)),
  mish: (x) => mul(x, tanh(softplus(x))),
  exponential: exp,
  relu6: (x) => clip(x, 0, 6),
  leaky_relu: leakyRelu(0.2),
  // Of Keras 1 and 2.
  hard_sigmoid: (x) => clip(add(mul(x, 0.2), 0.5), 0, 1),
  // What Keras 3 calls hard_sigmoid.
  hard_sigmoid_3: (x) => clip(add(mul(x, 1 / 6), 0.5), 0, 1),
  log_softmax: logSoftmax,
} as const satisfies Readonly<Record<string, (x: Value) => Value>>;

/** An activation of a value. */
export const activate = (name: ActivationName, x: Value): Value => FORWARD[name](x);

/** Element-wise functions, except softmax and its logarithm, which are over the last axis. */
export type ActivationName = keyof typeof FORWARD;

/** Whether an activation is a function of each element. */
export const isElementwise = (name: ActivationName): boolean => !name.endsWith('softmax');

const ACTIVATIONS = Object.keys(FORWARD) as readonly ActivationName[];

/** What Keras 3 calls otherwise. */
const OTHER_NAMES: ReadonlyMap<unknown, ActivationName> = new Map([['silu', 'swish']]);

/** Keras 2 and 3 mean something else by its name. */
const OF_KERAS_3: ActivationName = 'hard_sigmoid_3';

/** Whether a description has what a file of Keras 3 alone can say. */
export const needsKeras3 = (description: object): boolean =>
  JSON.stringify(description).includes(`"${OF_KERAS_3}"`);

/** An activation under one of these keys: by its name, or as a layer in the place of a name. */
export const activationUnder = (
  keys: readonly string[],
  fallback: ActivationName,
): LayerSetting<ActivationName> => ({
  keys,
  expected: `one of ${ACTIVATIONS.filter((name) => name !== OF_KERAS_3).join(', ')}`,
  write: (name) => (name === OF_KERAS_3 ? 'hard_sigmoid' : name),
  read(settings) {
    return settings.read({
      ...activationUnder(keys, fallback),
      fallback,
      parse(value) {
        const object = asKerasObject(value);
        if (value === 'hard_sigmoid' && settings.kerasVersion.startsWith('3')) return OF_KERAS_3;
        if (object === undefined) return OTHER_NAMES.get(value) ?? ACTIVATIONS.find((name) => name === value);
        const { class_name: className, config } = object;
        const kerasClass = INNER_CLASSES.find(({ names }) => names.includes(className));
        if (kerasClass === undefined) return undefined;
        const where = `${settings.where}, ${keys[0]} ${className}`;
        requireKerasClass(object, where);
        return readFields(kerasClass, new KerasSettings(where, config, settings))
          .activation as ActivationName;
      },
    });
  },
});

/** The activation behind a layer. */
export const activation = activationUnder(['activation'], 'linear');

/** Of a softmax: the axis of the numbers that add up to 1, where it is not said to be the last one. */
const axis = unlessDefault(
  setting({
    keys: ['axis'],
    expected: 'the number of one axis behind that of the batch',
    fallback: -1,
    parse(value) {
      const [given, ...others] = [value].flat();
      return Number.isSafeInteger(given) && given !== 0 && others.length === 0
        ? (given as number)
        : undefined;
    },
  }),
  -1,
);

const settings = { activation, axis };

const CLASSES: readonly KerasClass[] = [
  { names: ['Activation'], settings: { activation }, given: { axis: undefined } },
  { names: ['Softmax'], settings: { axis }, given: { activation: 'softmax' } },
];

/** Layers that may stand in the place of a name. */
const INNER_CLASSES: readonly KerasClass[] = [
  { names: ['Activation'], settings: { activation } },
  { names: ['Softmax'], settings: { axis: fixed('axis', -1, null) }, given: { activation: 'softmax' } },
  {
    names: ['ReLU'],
    settings: {
      activation: setting<ActivationName>({
        keys: ['max_value'],
        expected: 'none or 6',
        fallback: 'relu',
        parse: (value) => (value === 6 ? 'relu6' : undefined),
      }),
      slope: fixed('negative_slope', 0, null),
      threshold: fixed('threshold', 0, null),
    },
  },
];

/** An activation as a layer of its own. */
export const activationLayer: LayerModule<LayerWith<'activation', typeof settings>> = {
  kind: 'activation',
  keras: CLASSES,
  outputShape(layer, input) {
    softmaxAxis(layer, input.length);
    return input;
  },
  notInTensorflow: ({ axis }) => (axis === undefined ? undefined : `axis ${axis}`),
  // A softmax of Keras would leave masked elements out.
  maskBehind: ({ activation: kind }) => (!isElementwise(kind) ? undefined : 'kept'),
  forward(layer, [x]) {
    const last = x.shape.length - 1;
    const at = softmaxAxis(layer, last);
    if (at === last) return activate(layer.activation, x);
    const swapped = x.shape.map((_, index) => (index === at ? last : index === last ? at : index));
    return transpose(activate(layer.activation, transpose(x, swapped)), swapped);
  },
};

/** Among the axes of a batch. @throws {ModelError} for an axis that the input does not have */
function softmaxAxis(
  { name, axis: given = -1 }: { readonly name: string; readonly axis?: number },
  rank: number,
): number {
  const found = given < 0 ? given + rank + 1 : given;
  if (found > 0 && found <= rank) return found;
  throw new ModelError(
    `layer ${name}: axis ${given} is none of its input's ${rank} behind that of the batch`,
  );
}

/** Activation, ReLU and Softmax: functions of each element, and of a row; and the setting by which layers have one. */
import { formatShape } from '../../core/weights.js';
import { asKerasObject, KerasSettings, requireKerasClass } from '../keras/keras-settings.js';
import { ModelError } from '../model-error.js';
import type { LayerModule } from './layer-module.js';
import { fixed, type KerasClass, type LayerSetting, type LayerWith, readFields } from './settings.js';

const ACTIVATIONS = ['linear', 'relu', 'softmax', 'sigmoid', 'tanh'] as const;

/** Element-wise functions, except softmax, which is over the last axis. */
export type ActivationName = (typeof ACTIVATIONS)[number];

/** An activation by its name, or as a layer in the place of a name. */
export const activation: LayerSetting<ActivationName> = {
  keys: ['activation'],
  expected: 'linear, relu, softmax, sigmoid or tanh',
  read(settings) {
    return settings.read({
      ...activation,
      fallback: 'linear',
      parse(value) {
        const object = asKerasObject(value);
        if (object === undefined) return ACTIVATIONS.find((name) => name === value);
        const { class_name: className, config } = object;
        const kerasClass = CLASSES.find(({ names }) => names.includes(className));
        if (kerasClass === undefined) return undefined;
        const where = `${settings.where}, activation ${className}`;
        requireKerasClass(object, where);
        return readFields(kerasClass, new KerasSettings(where, config)).activation as ActivationName;
      },
    });
  },
};

const settings = { activation };

const CLASSES: readonly KerasClass[] = [
  { names: ['Activation'], settings },
  {
    names: ['ReLU'],
    settings: {
      max: fixed('max_value', null),
      slope: fixed('negative_slope', 0, null),
      threshold: fixed('threshold', 0, null),
    },
    given: { activation: 'relu' },
  },
  { names: ['Softmax'], settings: { axis: fixed('axis', -1, null) }, given: { activation: 'softmax' } },
];

/** An activation as a layer of its own. */
export const activationLayer: LayerModule<LayerWith<'activation', typeof settings>> = {
  kind: 'activation',
  keras: CLASSES,
  outputShape({ name, activation: kind }, input) {
    if (kind === 'softmax' && input.length !== 1) {
      throw new ModelError(`layer ${name}: softmax takes [features], its input is ${formatShape(input)}`);
    }
    return input;
  },
  forward({ activation: kind }, input, { graph }) {
    const { shape } = input;
    const one = () => graph.scalar(1);
    switch (kind) {
      case 'linear':
        return { output: input, backward: (dy) => dy };
      case 'relu': {
        const y = input.rectified ? input.tensor : graph.op('Relu', [input.tensor]);
        const zero = graph.scalar(0);
        return {
          output: { ...input, tensor: y, rectified: true },
          // Three times as fast as Where.
          backward: (dy) =>
            graph.op('Mul', [dy, graph.op('Cast', [graph.op('Greater', [y, zero])], { to: 1 })]),
        };
      }
      case 'sigmoid': {
        const y = graph.op('Sigmoid', [input.tensor]);
        return {
          output: { tensor: y, shape },
          backward: (dy) => graph.op('Mul', [dy, graph.op('Mul', [y, graph.op('Sub', [one(), y])])]),
        };
      }
      case 'tanh': {
        const y = graph.op('Tanh', [input.tensor]);
        return {
          output: { tensor: y, shape },
          backward: (dy) => graph.op('Mul', [dy, graph.op('Sub', [one(), graph.op('Mul', [y, y])])]),
        };
      }
      case 'softmax': {
        const y = graph.op('Softmax', [input.tensor], { axis: -1 });
        return {
          output: { tensor: y, shape },
          backward(dy) {
            const weighted = graph.op('Mul', [dy, y]);
            const total = graph.op('ReduceSum', [weighted, graph.integers(-1)], { keepdims: 1 });
            return graph.op('Sub', [weighted, graph.op('Mul', [y, total])]);
          },
        };
      }
    }
  },
  blocked: {
    // Element by element, the order does not matter.
    accepts: ({ activation: kind }, { blocked }) => blocked === true && kind === 'relu',
    forward: (layer, input, { context }) => activationLayer.forward(layer, input, context),
  },
};

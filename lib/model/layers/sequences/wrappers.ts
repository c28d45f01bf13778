/** Layers around another layer: Bidirectional runs it along a sequence both ways, TimeDistributed on each element. */

import { ModelError } from '../../../core/errors.js';
import { formatShape } from '../../../core/weights.js';
import { asKerasObject, KerasSettings, requireKerasClass } from '../../keras/keras-settings.js';
import { add, mul } from '../../primitives/arithmetic.js';
import { concat, reshape, reverse } from '../../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../primitives/value.js';
import type { ActivationName } from '../activation.js';
import { withOtherNumbers } from '../dropout.js';
import type { LayerContext, LayerModule, LayerParameter, NamedLayer } from '../layer-module.js';
import { readTraining } from '../layer-training.js';
import {
  type KerasClass,
  type LayerSetting,
  type LayerWith,
  readFields,
  setting,
  writtenLayer,
} from '../settings.js';
import { requireSequence } from './sequences.js';

/** The layers that there are: a wrapper may be one of them, so they are handed in. */
interface KnownLayers {
  readonly moduleOf: (layer: NamedLayer) => LayerModule;
  readonly classOf: (
    className: string,
  ) => { readonly module: LayerModule; readonly kerasClass: KerasClass } | undefined;
}

/** The layer inside of another, under one of its settings. */
function innerLayer({ moduleOf, classOf }: KnownLayers, key: string): LayerSetting<NamedLayer> {
  return {
    ...setting<NamedLayer>({
      keys: [key],
      expected: 'a layer that is known',
      parse: () => undefined,
    }),
    read: (settings) =>
      settings.read({
        keys: [key],
        expected: 'a layer that is known',
        parse(value) {
          const object = asKerasObject(value);
          const known = classOf(object?.class_name ?? '');
          if (object === undefined || known === undefined) return undefined;
          const where = `${settings.where}, ${key} ${object.class_name}`;
          requireKerasClass(object, where);
          const fields = readFields(known.kerasClass, new KerasSettings(where, object.config, settings));
          const { training } = readTraining(where, object);
          return {
            ...{ kind: known.module.kind, name: `${object.config.name ?? object.class_name}`, ...fields },
            ...(training && { training }),
          };
        },
      }),
    // Keras 3 finds a class inside a layer by its module.
    write: (layer) => ({
      module: 'keras.layers',
      ...writtenLayer(layer, moduleOf(layer).keras),
      registered_name: null,
    }),
  };
}

/** The layer of the other direction; undefined where it is the same, as Keras 3 always says. */
function backwardLayer(
  known: KnownLayers,
  forward: LayerSetting<NamedLayer>,
): LayerSetting<NamedLayer | undefined> {
  const given = innerLayer(known, 'backward_layer');
  return {
    ...given,
    read(settings) {
      if (settings.isOff('backward_layer')) return undefined;
      const [layer, usual] = [given.read(settings), otherWay(forward.read(settings))];
      return JSON.stringify({ ...layer, name: '' }) === JSON.stringify({ ...usual, name: '' })
        ? undefined
        : layer;
    },
  };
}

/** The parameters of an inner layer, with its own training and their roles in the outer one. */
const parametersWithin = (
  { moduleOf }: KnownLayers,
  layer: NamedLayer,
  { input, prefix = '' }: { readonly input: readonly number[]; readonly prefix?: string },
): readonly LayerParameter[] =>
  (moduleOf(layer).parameters?.(layer, input) ?? []).map((each) => ({
    ...each,
    ...{ role: `${prefix}${each.role}`, training: layer.training ?? {} },
  }));

/** Places that a layer may draw random numbers for, see `withOtherNumbers`: so many are left to each of the layers inside of one. */
const PLACES = 4;

const within = (context: LayerContext, prefix: string): LayerContext => ({
  ...(prefix === BACKWARD ? withOtherNumbers(context, PLACES) : context),
  batchSize: undefined,
  blockSize: undefined,
  followedByRelu: false,
  parameter: (role) => context.parameter(`${prefix}${role}`),
});

/** Before the roles of the arrays of each direction. */
const [FORWARD, BACKWARD] = ['forward_', 'backward_'] as const;

/** What becomes of what the two directions give. */
const MERGES = {
  concat: (a: Value, b: Value) => concat([a, b], a.shape.length - 1),
  sum: add,
  mul,
  ave: (a: Value, b: Value) => mul(add(a, b), 0.5),
} as const;

type MergeMode = keyof typeof MERGES;

/** A recurrent layer, as far as a direction of it matters. */
interface Directed extends NamedLayer {
  readonly returnSequences: boolean;
  readonly goBackwards: boolean;
}

const otherWay = (layer: NamedLayer): Directed => ({
  ...(layer as Directed),
  goBackwards: !(layer as Directed).goBackwards,
});

const RECURRENT = ['simpleRnn', 'lstm', 'gru'];

/** Bidirectional (Schuster and Paliwal 1997). Parameters: those of the layer, then those of the other direction. */
export function bidirectionalOf(known: KnownLayers) {
  const layer = innerLayer(known, 'layer');
  const settings = {
    layer,
    mergeMode: setting<MergeMode>({
      keys: ['merge_mode'],
      expected: `one of ${Object.keys(MERGES).join(', ')}`,
      fallback: 'concat',
      parse: (value) => (Object.keys(MERGES) as readonly MergeMode[]).find((mode) => mode === value),
    }),
    backwardLayer: backwardLayer(known, layer),
  };
  type Bidirectional = LayerWith<'bidirectional', typeof settings>;
  const bidirectional: LayerModule<Bidirectional> = {
    kind: 'bidirectional',
    keras: [{ names: ['Bidirectional'], settings }],
    outputShape({ name, layer, backwardLayer: back = layer, mergeMode }, input) {
      for (const { kind } of [layer, back])
        if (!RECURRENT.includes(kind))
          throw new ModelError(
            `layer ${name}: a ${kind} as its layer is not supported, only a recurrent one`,
          );
      const [shape, other] = [layer, back].map((each) => known.moduleOf(each).outputShape(each, input));
      if (formatShape(shape ?? []) !== formatShape(other ?? []))
        throw new ModelError(`layer ${name}: its layer and its backward_layer give different shapes`);
      const features = shape?.at(-1) as number;
      return [...(shape ?? []).slice(0, -1), mergeMode === 'concat' ? 2 * features : features];
    },
    maskBehind: ({ layer }) => ((layer as Directed).returnSequences ? 'kept' : 'dropped'),
    drawsNumbers: ({ layer, backwardLayer: back = layer }) =>
      [layer, back].some((each) => known.moduleOf(each).drawsNumbers?.(each) === true),
    notTrainedByTensorflow: ({ layer }) => known.moduleOf(layer).notTrainedByTensorflow?.(layer),
    notInTensorflow: ({ layer, backwardLayer: back }) =>
      back === undefined ? known.moduleOf(layer).notInTensorflow?.(layer) : 'backward_layer',
    parameters: ({ layer, backwardLayer: back = layer }, input) => [
      ...parametersWithin(known, layer, { input, prefix: FORWARD }),
      ...parametersWithin(known, back, { input, prefix: BACKWARD }),
    ],
    forward({ layer, backwardLayer: back = otherWay(layer), mergeMode }, [x], context) {
      const there = known.moduleOf(layer).forward(layer, [x], within(context, FORWARD));
      const other = known.moduleOf(back).forward(back, [x], within(context, BACKWARD));
      const { returnSequences } = layer as Directed;
      return MERGES[mergeMode](there, returnSequences ? reverse(other, 1) : other);
    },
  };
  return bidirectional;
}

/** TimeDistributed: `[t, …]`, each element by itself. */
export function timeDistributedOf(known: KnownLayers) {
  const settings = { layer: innerLayer(known, 'layer') };
  type TimeDistributed = LayerWith<'timeDistributed', typeof settings>;
  const timeDistributed: LayerModule<TimeDistributed> = {
    kind: 'timeDistributed',
    keras: [{ names: ['TimeDistributed'], settings }],
    outputShape(layer, input) {
      const { kind } = layer.layer;
      const module = known.moduleOf(layer.layer);
      const isRandom = module.drawsNumbers?.(layer.layer) === true;
      // Their masks and statistics are those of examples.
      if (module.mixesExamples === true || isRandom) {
        const what = isRandom && module.parameters !== undefined ? `${kind} with dropout` : kind;
        throw new ModelError(`layer ${layer.name}: a ${what} as its layer is not supported`);
      }
      if (input.length < 2) requireSequence(layer, input);
      return [input[0] as number, ...known.moduleOf(layer.layer).outputShape(layer.layer, input.slice(1))];
    },
    maskBehind: () => 'kept',
    notInTensorflow: ({ layer }) => known.moduleOf(layer).notInTensorflow?.(layer),
    parameters: ({ layer }, input) => parametersWithin(known, layer, { input: input.slice(1) }),
    // All activations but a softmax over elements of several axes are the same for a whole sequence.
    apart({ layer, ...wrapper }) {
      const { activation = 'linear' } = layer as { readonly activation?: ActivationName };
      if (activation === 'linear' || layer.kind === 'activation') return undefined;
      const plain: NamedLayer = { ...layer, ...{ activation: 'linear' } };
      return { layer: { ...wrapper, layer: plain }, activation };
    },
    forward({ layer }, [x], context) {
      const [, steps = 0, ...element] = x.shape;
      const each = reshape(x, [BATCH_AXIS, ...element]);
      const y = known.moduleOf(layer).forward(layer, [each], within(context, ''));
      return reshape(y, [BATCH_AXIS, steps, ...y.shape.slice(1)]);
    },
  };
  return timeDistributed;
}

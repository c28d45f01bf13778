/**
 * Where `model.weights.h5` of a `.keras` file keeps the variables of a layer: Keras numbers them, and calls the groups
 * above them after classes and attributes of its own, so that both follow from the architecture alone.
 */
import { DataError } from '../../core/errors.js';
import { own } from '../../core/own.js';
import { isStatistic } from '../../core/weights.js';
import { type LayerConfig, layersIn } from './keras-file.js';

/** One variable: its place in the file, and the name that it has in Keras' HDF5 files. */
export interface VariablePlace {
  readonly path: string;
  readonly name: string;
}

/** The variables of one layer's own, without those of layers in it. */
interface OwnVariables {
  /** Group whose `vars/0`, `vars/1`, … they are. */
  readonly group: string;
  /** Names of the layers that it is in, and its own, with slashes between. */
  readonly prefix: string;
  /** Names of the variables; undefined where only their number tells them. */
  readonly roles: readonly string[] | undefined;
}

/** Where a layer's variables are looked for. */
interface LayerGroup {
  /** Its group, e.g. `/layers/dense_1`. */
  readonly group: string;
  /** What errors call the file. */
  readonly file: string;
}

/**
 * The variables of a layer in the order of Keras' HDF5 files: all that are trained, then the statistics.
 *
 * @param at `count` tells how many variables lie in a group, and is asked of layers whose class does not say
 * @throws {DataError} when layers lie in each other without end
 */
export function variablesOf(
  layer: LayerConfig,
  at: LayerGroup & { readonly count: (group: string) => number },
): readonly VariablePlace[] {
  const all = ownVariables(layer, { ...at, prefix: layer.name }).flatMap(({ group, prefix, roles }) => {
    const names = roles ?? Array.from({ length: at.count(group) }, (_, index) => usualRole(index));
    return names.map((role, index) => ({ path: `${group}/vars/${index}`, name: `${prefix}/${role}` }));
  });
  return [...all.filter(({ name }) => !isStatistic(name)), ...all.filter(({ name }) => isStatistic(name))];
}

/** Every group of a layer that has `vars`, empty ones too, and the name of the layer that it belongs to. */
export function groupsOf(
  layer: LayerConfig,
  at: LayerGroup,
): readonly (readonly [group: string, name: string])[] {
  return ownVariables(layer, { ...at, prefix: layer.name }).map(({ group, prefix }) => [
    group,
    prefix.slice(prefix.lastIndexOf('/') + 1),
  ]);
}

/** The groups of layers that stand in one list: `dense`, `dense_1` by their classes, whatever the layers are called. */
export function groupNames(layers: readonly LayerConfig[]): readonly string[] {
  const counts = new Map<string, number>();
  return layers.map(({ className }) => {
    const name = snakeCase(className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  });
}

/** As Keras' `to_snake_case`. */
function snakeCase(className: string): string {
  return className
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Layers in layers in layers, at most: each of them may hold two. */
const MAX_DEPTH = 8;

interface Place extends LayerGroup {
  readonly prefix: string;
  readonly depth?: number;
}

function ownVariables(layer: LayerConfig, place: Place): readonly OwnVariables[] {
  const { group, prefix, file, depth = 0 } = place;
  if (depth > MAX_DEPTH) {
    const expected = `layers at most ${MAX_DEPTH} deep in each other`;
    throw new DataError({ file, expected, found: `more in layer ${prefix.slice(0, prefix.indexOf('/'))}` });
  }
  const parts = partsOf(layer, file);
  const first = { group, prefix, roles: rolesOf(layer) ?? (parts.length > 0 ? [] : undefined) };
  const below = parts.flatMap(([within, part]) =>
    ownVariables(part, {
      ...{ group: `${group}/${within}`, prefix: `${prefix}/${part.name}`, file },
      depth: depth + 1,
    }),
  );
  return [first, ...below];
}

const isOn = (value: unknown) => value !== false;
const NORMS = ({ scale, center }: LayerConfig['settings']) => [
  ...(isOn(scale) ? ['gamma'] : []),
  ...(isOn(center) ? ['beta'] : []),
];
const withBias = (first: readonly string[], { use_bias: bias }: LayerConfig['settings']) =>
  isOn(bias) ? [...first, 'bias'] : first;

type Roles = (settings: LayerConfig['settings']) => readonly string[];

const kernel: Roles = (settings) => withBias(['kernel'], settings);
const separable: Roles = (settings) => withBias(['depthwise_kernel', 'pointwise_kernel'], settings);
const cell: Roles = (settings) => withBias(['kernel', 'recurrent_kernel'], settings);

/** Variables by class, in the order in which Keras makes them. */
const ROLES: Readonly<Record<string, Roles>> = {
  ...{ Dense: kernel, Conv1D: kernel, Conv2D: kernel, Conv3D: kernel, EinsumDense: kernel },
  ...{ Conv1DTranspose: kernel, Conv2DTranspose: kernel, DepthwiseConv1D: kernel, DepthwiseConv2D: kernel },
  ...{ SeparableConv1D: separable, SeparableConv2D: separable },
  ...{ SimpleRNNCell: cell, LSTMCell: cell, GRUCell: cell },
  BatchNormalization: (settings) => [...NORMS(settings), 'moving_mean', 'moving_variance'],
  LayerNormalization: NORMS,
  GroupNormalization: NORMS,
  Embedding: () => ['embeddings'],
  PReLU: () => ['alpha'],
};

const rolesOf = ({ className, settings }: LayerConfig) => own(ROLES, className)?.(settings);

/** Most layers of one or two variables have these. */
const usualRole = (at: number) => ['kernel', 'bias'][at] ?? `variable_${at}`;

/** The layers in a layer, each with its group below that. */
function partsOf(
  { className, settings }: LayerConfig,
  file: string,
): readonly (readonly [string, LayerConfig])[] {
  switch (className) {
    case 'SimpleRNN':
    case 'LSTM':
    case 'GRU':
      return [['cell', { className: `${className}Cell`, name: `${className.toLowerCase()}_cell`, settings }]];
    case 'Bidirectional': {
      const [inner] = layersIn([settings.layer], file);
      if (inner === undefined) return [];
      const [backward = inner] = layersIn([settings.backward_layer].filter(Boolean), file);
      // Keras 3 tells the name that the layer has within, Keras 2 the one that it was given.
      const given = inner.name.replace(/^forward_/, '');
      return [
        ['forward_layer', { ...inner, name: `forward_${given}` }],
        ['backward_layer', { ...backward, name: `backward_${given}` }],
      ];
    }
    case 'TimeDistributed':
      return layersIn([settings.layer], file).map((inner) => ['layer', inner]);
    case 'MultiHeadAttention':
      return ATTENTION.map(([within, part]) => [within, { className: 'EinsumDense', name: part, settings }]);
    case 'Sequential':
    case 'Functional':
    case 'Model': {
      const inner = layersIn(Array.isArray(settings.layers) ? settings.layers : [], file);
      const groups = groupNames(inner);
      return inner.map((each, at) => [`layers/${groups[at]}`, each]);
    }
    default:
      return [];
  }
}

/** The dense layers of an attention, by the attributes of Keras 3 that hold them, in the order of its weights. */
const ATTENTION = [
  ['query_dense', 'query'],
  ['key_dense', 'key'],
  ['value_dense', 'value'],
  ['output_dense', 'attention_output'],
] as const;

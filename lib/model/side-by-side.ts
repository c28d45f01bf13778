/** Several inputs brought into one row of numbers: categories embedded, numbers as they are. */
import type { Layer } from './layers/registry.js';
import type { LayerCall, NamedInput } from './model-description.js';

/** Mean and variance of each feature, which is a place of an input's last axis. */
export interface FeatureScale {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}

/** Keras' Normalization by them. Of a feature that never varies the mean is taken away, and nothing else done to it. */
export const normalization = (
  name: string,
  { mean, variance }: FeatureScale,
  { invert = false } = {},
): Layer => ({
  kind: 'featureNormalization',
  name,
  axis: [-1],
  invert,
  mean,
  variance: variance.map((each) => (each > 0 ? each : 1)),
});

/** One of several inputs. */
export interface RowInput {
  readonly name: string;
  /** Shape of one example. */
  readonly shape: readonly number[];
  /** Where its whole numbers stand for categories: all are below this. */
  readonly below?: number | undefined;
  /** Of numbers: by what they are normalised. */
  readonly scale?: FeatureScale | undefined;
}

/** Numbers that a category is embedded in: half as many as there are categories, and no more than this. */
const MAX_EMBEDDED = 50;

/**
 * Layers and calls that put inputs side by side, each category as a row of a table of its own (Guo and Berkhahn 2016,
 * arXiv 1604.06737); `name` numbers the layers as Keras does, apart from the inputs.
 */
export function sideBySide(inputs: readonly RowInput[], name: (kind: string) => string) {
  const layers: Layer[] = [];
  const calls: LayerCall[] = [];
  const call = (layer: Layer, ...values: readonly string[]): string => {
    layers.push(layer);
    calls.push({ layer: layer.name, inputs: values, output: layer.name });
    return layer.name;
  };
  const rows = inputs.map(({ name: input, shape, below, scale }) => {
    if (below === undefined) {
      const numbers = scale === undefined ? input : call(normalization(name('normalization'), scale), input);
      return shape.length === 1 ? numbers : call({ kind: 'flatten', name: name('flatten') }, numbers);
    }
    const units = Math.min(MAX_EMBEDDED, Math.ceil(below / 2));
    const embedding: Layer = { kind: 'embedding', name: name('embedding'), below, units, maskZero: false };
    return call({ kind: 'flatten', name: name('flatten') }, call(embedding, input));
  });
  const row =
    rows.length === 1
      ? (rows[0] as string)
      : call({ kind: 'concatenate', name: name('concatenate'), axis: -1 }, ...rows);
  return {
    inputs: inputs.map(
      ({ name: input, shape, below }): NamedInput => ({
        name: input,
        shape,
        ...(below === undefined ? {} : { isInteger: true }),
      }),
    ),
    layers,
    calls,
    row,
  };
}

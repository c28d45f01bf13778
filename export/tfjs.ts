/** A layers model of TensorFlow.js: model.json and its weights in pieces, which `tf.loadLayersModel` opens. */
import { join } from 'node:path';
import { ModelError } from '../lib/core/errors.js';
import type { WeightArray } from '../lib/core/weights.js';
import { requireKnown } from '../lib/engine/tensorflow/known-layers.js';
import { modelTopology } from '../lib/engine/tensorflow/layers-model.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import { writeFileAtomic, writeFolderAtomic } from '../lib/formats/files/atomic-file.js';
import { foreignLayers } from '../lib/model/layers/foreign.js';
import type { Layer } from '../lib/model/layers/registry.js';
import type { Model } from '../lib/model/model-description.js';
import { modelParameters, shapeCalls } from '../lib/model/parameters.js';
import { cannotHold, type ExportFormat } from './format.js';

const title = 'a model of TensorFlow.js';

/** A folder. */
export const tfjs: ExportFormat = {
  title,
  ending: '-tfjs',
  isFolder: true,
  marker: 'model.json',
  async prepare(exported, { facts }) {
    const files = filesOf(stockModel(), facts);
    return (path) =>
      writeFolderAtomic(path, async (folder) => {
        for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
      });

    function stockModel(): Model {
      try {
        return forStockLayers(exported.model);
      } catch (cause) {
        if (!(cause instanceof ModelError)) throw cause;
        const advice = 'With --to onnx, onnxruntime-web opens it in a page.';
        throw cannotHold(exported, { title, reason: cause.message, advice, cause });
      }
    }
  },
};

/** So large are the pieces of TensorFlow.js' own converter, whose files a browser keeps. */
const SHARD_BYTES = 4 * 2 ** 20;

function filesOf(
  { description, weights }: Model,
  facts: ExportedFacts,
): readonly (readonly [name: string, content: string | Uint8Array])[] {
  const bytes = Buffer.concat(
    weights.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );
  const count = Math.max(1, Math.ceil(bytes.length / SHARD_BYTES));
  const shards = Array.from(
    { length: count },
    (_, at) =>
      [
        `group1-shard${at + 1}of${count}.bin`,
        bytes.subarray(at * SHARD_BYTES, (at + 1) * SHARD_BYTES),
      ] as const,
  );
  const document = {
    format: 'layers-model',
    generatedBy: facts.producer,
    convertedBy: null,
    userDefinedMetadata: facts,
    modelTopology: modelTopology(description),
    weightsManifest: [
      {
        paths: shards.map(([name]) => name),
        weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
  };
  return [['model.json', JSON.stringify(document)], ...shards];
}

/** The arrays of a layer by their roles. */
type Arrays = ReadonlyMap<string, WeightArray>;

/** A layer of the library as a page loads it, without the corrections of our engine, and its arrays. */
interface StockLayer {
  readonly layer: Layer;
  readonly arrays: Arrays;
}

/**
 * A model whose predictions are the same with the layers of tf.layers as they are; weights are called as there.
 *
 * @throws {ModelError} naming a layer that is not there
 */
function forStockLayers({ description, weights }: Model): Model {
  const [foreign] = foreignLayers(description);
  if (foreign !== undefined) throw new ModelError(foreign.reason);
  const parameters = modelParameters(description);
  const calls = shapeCalls(description);
  const stock = description.layers.map((layer): StockLayer => {
    const arrays = new Map(
      parameters.flatMap((each, at) =>
        each.layer === layer.name ? [[each.role, weights[at] as WeightArray]] : [],
      ),
    );
    const shape = calls.find((call) => call.layer === layer.name)?.inputShapes[0] ?? [];
    if (changesNothing(layer, shape)) return { layer: identity(layer.name), arrays };
    if (layer.kind === 'featureNormalization') return byBatchNormalization(layer, arrays, shape);
    if (layer.kind === 'batchNormalization') return { layer: alongLast(layer, shape), arrays };
    return { layer, arrays };
  });
  const { nested: _nested, ...flat } = description;
  const replaced = { ...flat, layers: stock.map(({ layer }) => layer) };
  requireKnown(replaced);
  return {
    description: replaced,
    weights: stock.flatMap(({ layer, arrays }) =>
      [...arrays].map(([role, array]) => ({ ...array, name: nameThere(layer, role) })),
    ),
  };
}

/** What is not there, or not so, and gives what it is given in a prediction. */
const changesNothing = ({ kind }: Layer, shape: readonly number[]): boolean =>
  (kind === 'flatten' && shape.length === 1) || kind === 'spatialDropout2d' || kind === 'activityPenalty';

const identity = (name: string): Layer => ({ kind: 'activation', name, activation: 'linear' });

/** The variable of a role: behind the names of the layers that it is in. */
function nameThere(layer: Layer, role: string): string {
  const [, direction, own] = /^(forward|backward)_(.*)$/.exec(role) ?? [];
  if (layer.kind !== 'bidirectional' || own === undefined) return `${layer.name}/${role}`;
  return `${layer.name}/${direction}_${layer.layer.name}/${own}`;
}

type LayerOf<Kind extends Layer['kind']> = Extract<Layer, { readonly kind: Kind }>;

const isLast = (axis: number, shape: readonly number[]) =>
  (axis < 0 ? shape.length + axis : axis - 1) === shape.length - 1;

/** It normalises along the last axis whichever it is told. */
function alongLast(layer: LayerOf<'batchNormalization'>, shape: readonly number[]): Layer {
  if (isLast(layer.axis, shape)) return { ...layer, axis: -1 };
  throw new ModelError(
    `layer ${layer.name} (BatchNormalization): TensorFlow.js has no axis ${layer.axis} but the last`,
  );
}

/** Least deviation that Normalization divides by. */
const LEAST_DEVIATION = 1e-7;

/** There is no Normalization, and a BatchNormalization with its mean and variance computes the same. */
function byBatchNormalization(
  layer: LayerOf<'featureNormalization'>,
  arrays: Arrays,
  shape: readonly number[],
): StockLayer {
  const { name, axis, invert } = layer;
  if (invert || axis.length > 1 || axis.some((each) => !isLast(each, shape)))
    throw new ModelError(
      `layer ${name} (Normalization): TensorFlow.js has none ${invert ? 'with invert' : `of axes ${axis.join(', ')}`}`,
    );
  const features = shape.at(-1) ?? 0;
  const along = (role: 'mean' | 'variance') => {
    const known = layer[role] ?? arrays.get(role)?.values ?? [];
    return Float32Array.from({ length: features }, (_, at) => known[at] ?? known[0] ?? 0);
  };
  const array = (role: string, values: Float32Array) =>
    [role, { name: `${name}/${role}`, shape: [features], values }] as const;
  const variance = along('variance').map((each) => Math.max(Math.sqrt(each), LEAST_DEVIATION) ** 2);
  return {
    layer: {
      ...{ kind: 'batchNormalization', name, axis: -1, momentum: 0.99, epsilon: 0 },
      ...{ center: false, scale: false },
    },
    arrays: new Map([array('moving_mean', along('mean')), array('moving_variance', variance)]),
  };
}

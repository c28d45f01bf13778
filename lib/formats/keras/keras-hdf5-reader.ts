/** Finds architecture, weights and fedbatch's facts in an open Keras HDF5 file. */
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import type { ExtraKinds } from '../../federation/client-side.js';
import { type ArrayOutline, compareArrays } from '../../federation/client-update.js';
import { formatScale, parseScale } from '../../federation/pixel-scale.js';
import type { ByteSource } from '../files/byte-source.js';
import { parseDocument } from '../files/json-document.js';
import type { FloatBytes } from '../hdf5/float-bytes.js';
import type { Hdf5Reader, UnreadArray } from '../hdf5/hdf5-reader.js';
import { readExtras, readUpdateAttributes } from './client-update-file.js';
import { type DataNames, dataNamesSchema } from './data-names.js';
import {
  canonicalNames,
  KERAS_FILE,
  type KerasFile,
  type LayerConfig,
  layerConfigs,
  NO_VALUES,
  type PlacedArray,
} from './keras-file.js';
import { checkArrays } from './keras-shapes.js';
import { groupNames, variablesOf } from './keras-variables.js';

/** The eight bytes that open an HDF5 file, or stand at byte 512, 1024, 2048, … after a user block. */
const HDF5_SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/** Root attribute with the scale of the input; Keras passes over it. */
export const SCALE_ATTRIBUTE = 'fedbatch_scale';
/** Root attribute with what the data call the model's numbers, likewise. */
export const NAMES_ATTRIBUTE = 'fedbatch_names';
/** Root attribute with the metrics that a task reports, likewise. */
export const METRICS_ATTRIBUTE = 'fedbatch_metrics';

const ROOT = '/model_weights';
const ANY_NUMBER: readonly FloatBytes[] = ['float16', 'float32', 'float64', 'int64'];

/** What a model may be like. */
export interface ReadOptions {
  /** Types of number that weights may have in the file (default: all); they are float32 in memory. */
  readonly types?: readonly FloatBytes[];
  /** A model whose arrays its arrays have to be like: another one is refused before any of its numbers is read. */
  readonly like?: Weights | undefined;
  /** Refuses arrays that are stored in chunks, which may be compressed: ours are not. */
  readonly isPlain?: boolean;
  /** Leaves the numbers of large arrays in the file where they lie there as they are: those then say their `place`. */
  readonly isPlaced?: boolean;
  /** What of an update's extras is read. */
  readonly extras?: ExtraKinds | undefined;
}

/** A model with other arrays than it was to have. */
export class OtherArraysError extends DataError {
  /** The first difference, as the end of a sentence that begins with the model's name. */
  readonly difference: string;

  constructor(file: string, difference: string) {
    super({ file, expected: 'the arrays of the other models', found: `that it ${difference}` });
    this.difference = difference;
  }
}

/** Tells a wrong kind of file by its first bytes. @throws {DataError} naming what it is and what to do. */
export function checkSignature(source: ByteSource, file: string): void {
  const bytes = Buffer.alloc(HDF5_SIGNATURE.length);
  for (let at = 0; at < source.sizeBytes; at = at === 0 ? 512 : 2 * at)
    if (source.read(bytes, at) === bytes.length && bytes.equals(HDF5_SIGNATURE)) return;
  const found = source.sizeBytes === 0 ? 'an empty file' : 'a file of another format';
  throw new DataError({ file, expected: KERAS_FILE, found });
}

/** What a `.keras` file tells beside its weights. */
export type KerasHead = Pick<KerasFile, 'modelConfig' | 'kerasVersion' | 'trainingConfig'>;

/**
 * Reads the model.
 *
 * @param archived what a `.keras` file tells, whose HDF5 holds the weights alone
 * @throws {DataError} when the file holds no model or an incomplete one.
 */
export function readModel(
  hdf5: Hdf5Reader,
  file: string,
  { archived, ...options }: ReadOptions & { readonly archived?: KerasHead | undefined } = {},
): KerasFile {
  const head = archived ?? readHead(hdf5, file);
  const update = readUpdateAttributes(hdf5, file);
  const scale = readScale(hdf5, file);
  const names = readDataNames(hdf5, file);
  const hasMetrics = hdf5.attributeNames('/').includes(METRICS_ATTRIBUTE);
  const layers = layerConfigs(head.modelConfig, file);
  const place = { file, types: options.types ?? ANY_NUMBER };
  const outlines = (archived === undefined ? outlineNamed : outlineNumbered)(hdf5, layers, place);
  const isTheano = archived === undefined && readEither(hdf5, 'backend') === 'theano';
  // A kernel that has to be turned, or that lies in a member of an archive, has no place in the file.
  const isPlaced = options.isPlaced === true && !isTheano && archived === undefined;
  const read = readWeights(outlines, { file, ...options, isPlaced });
  const weights = isTheano ? read.map(flipKernel) : read;
  const kinds = options.extras;
  const { trainingConfig } = head;
  return {
    modelConfig: head.modelConfig,
    weights,
    kerasVersion: head.kerasVersion,
    ...(trainingConfig === undefined ? {} : { trainingConfig }),
    ...(scale === undefined ? {} : { scale }),
    ...(names === undefined ? {} : { names }),
    ...(hasMetrics ? { metrics: hdf5.text('/', METRICS_ATTRIBUTE).split(',') } : {}),
    ...(update === undefined ? {} : { update }),
    ...(kinds === undefined ? {} : { extras: readExtras(hdf5, file, { kinds, like: weights }) }),
  };
}

/** What an HDF5 file tells beside its weights. */
function readHead(hdf5: Hdf5Reader, file: string): KerasHead {
  const modelConfig = readModelConfig(hdf5, file);
  if (hdf5.kind(ROOT) !== 'group') throw new DataError({ file, expected: `a group ${ROOT}`, found: 'none' });
  const isCompiled = hdf5.attributeNames('/').includes('training_config');
  return {
    modelConfig,
    // The first Keras 1 wrote no version; Keras takes a file without for one of Keras 1.
    kerasVersion: readEither(hdf5, 'keras_version') ?? '1',
    ...(isCompiled ? { trainingConfig: hdf5.text('/', 'training_config') } : {}),
  };
}

function readScale(hdf5: Hdf5Reader, file: string): string | undefined {
  if (!hdf5.attributeNames('/').includes(SCALE_ATTRIBUTE)) return undefined;
  const text = hdf5.text('/', SCALE_ATTRIBUTE);
  const scale = parseScale(text);
  if (scale !== undefined) return formatScale(scale);
  const expected = `numbers for black and white such as -1..1 in the attribute "${SCALE_ATTRIBUTE}"`;
  throw new DataError({ file, expected, found: JSON.stringify(text.slice(0, 80)) });
}

function readDataNames(hdf5: Hdf5Reader, file: string): DataNames | undefined {
  if (!hdf5.attributeNames('/').includes(NAMES_ATTRIBUTE)) return undefined;
  const expected = `names of classes, columns and categories in the attribute "${NAMES_ATTRIBUTE}"`;
  return parseDocument(hdf5.text('/', NAMES_ATTRIBUTE), { schema: dataNamesSchema, file, expected });
}

function readModelConfig(hdf5: Hdf5Reader, file: string): unknown {
  const attributes = hdf5.attributeNames('/');
  if (!attributes.includes('model_config')) {
    const weightsOnly = attributes.some((name) => /^layer_names\d*$/.test(name));
    throw new DataError({
      file,
      expected: `${KERAS_FILE} with its architecture (attribute "model_config")`,
      found: weightsOnly
        ? 'weights alone, as save_weights() writes them: save the whole model with model.save("model.h5")'
        : 'an HDF5 file without it',
    });
  }
  const expected = 'JSON in attribute "model_config"';
  return parseDocument(hdf5.text('/', 'model_config'), { schema: z.unknown(), file, expected });
}

/** A text that Keras writes at the root and beside the weights, wherever it is. */
function readEither(hdf5: Hdf5Reader, name: string): string | undefined {
  const path = ['/', ROOT].find((each) => hdf5.attributeNames(each).includes(name));
  return path === undefined ? undefined : hdf5.text(path, name);
}

/** An array of a model whose numbers are not read yet. */
type UnreadWeights = ArrayOutline & UnreadArray;

interface WeightsPlace {
  readonly file: string;
  readonly types: readonly FloatBytes[];
}

/** The arrays of a Keras HDF5 file, which has lists of their names. */
function outlineNamed(
  hdf5: Hdf5Reader,
  layers: readonly LayerConfig[],
  { file, types }: WeightsPlace,
): readonly UnreadWeights[] {
  const outlines: UnreadWeights[] = [];
  const expected = new Map(layers.map((layer) => [layer.name, layer]));
  for (const name of readNames(hdf5, ROOT, 'layer_names', file)) {
    const group = `${ROOT}/${name}`;
    const names = readNames(hdf5, group, 'weight_names', file);
    const ours = canonicalNames(name, names);
    const arrays = names.map((each, index) => ({
      name: ours[index] as string,
      ...hdf5.array(`${group}/${each}`, types),
    }));
    const layer = expected.get(name);
    if (layer) checkArrays(layer, arrays, file);
    else if (arrays.length > 0) {
      throw new DataError({
        file,
        expected: 'weights of the layers in model_config, each once',
        found: `weights of "${name}"`,
      });
    }
    expected.delete(name);
    outlines.push(...arrays);
  }
  const [missing] = expected.keys();
  if (missing !== undefined)
    throw new DataError({ file, expected: `layer "${missing}" in ${ROOT}`, found: 'none' });
  return outlines;
}

/** The arrays of `model.weights.h5` in a `.keras` file, which has numbers for names. */
function outlineNumbered(
  hdf5: Hdf5Reader,
  layers: readonly LayerConfig[],
  { file, types }: WeightsPlace,
): readonly UnreadWeights[] {
  const groups = groupNames(layers);
  const has = (path: string) => hdf5.kind(path) === 'dataset';
  const count = (group: string) => {
    let found = 0;
    while (has(`${group}/vars/${found}`)) found++;
    return found;
  };
  return layers.flatMap((layer, at) => {
    const places = variablesOf(layer, { group: `/layers/${groups[at]}`, file, count });
    const ours = canonicalNames(
      layer.name,
      places.map(({ name }) => name),
    );
    const arrays = places.map(({ path }, index) => {
      if (!has(path)) {
        const what = `${ours[index]} (${layer.className}) at ${path} in model.weights.h5`;
        throw new DataError({ file, expected: what, found: 'none' });
      }
      return { name: ours[index] as string, ...hdf5.array(path, types) };
    });
    checkArrays(layer, arrays, file);
    return arrays;
  });
}

/** The numbers of arrays, once they are such as the options ask for. */
function readWeights(
  outlines: readonly UnreadWeights[],
  { file, like, isPlain = false, isPlaced = false }: ReadOptions & { readonly file: string },
): Weights {
  const difference = like === undefined ? null : compareArrays(outlines, like);
  if (difference !== null) throw new OtherArraysError(file, difference);
  const packed = isPlain && outlines.find((array) => !array.isPlain);
  if (packed) {
    const expected = `${packed.name} as fedbatch stores it, its numbers one after the other`;
    throw new DataError({ file, expected, found: 'them in chunks' });
  }
  return outlines.map(({ name, shape, read, place: find }): WeightArray | PlacedArray => {
    const place = isPlaced ? find() : undefined;
    return place === undefined ? { name, shape, values: read() } : { name, shape, values: NO_VALUES, place };
  });
}

/** A list of names that Keras splits over `name0`, `name1`, … where it is too long for one attribute. */
function readNames(hdf5: Hdf5Reader, path: string, name: string, file: string): readonly string[] {
  const whole = hdf5.texts(path, name);
  if (whole !== null) return whole;
  const names: string[] = [];
  for (let part = 0; ; part++) {
    const some = hdf5.texts(path, `${name}${part}`);
    if (some === null && part > 0) return names;
    if (some === null)
      throw new DataError({ file, expected: `attribute "${name}" of ${path}`, found: 'none' });
    names.push(...some);
  }
}

/** Turns a kernel `[kh, kw, in, out]` by half a turn: Theano convolved where the others correlate. */
function flipKernel(array: WeightArray): WeightArray {
  const [height, width, inputs, outputs] = array.shape;
  if (height === undefined || width === undefined || inputs === undefined || outputs === undefined)
    return array;
  const size = inputs * outputs;
  const values = new Float32Array(array.values.length);
  for (let from = 0; from < height * width; from++) {
    values.set(array.values.subarray(from * size, (from + 1) * size), (height * width - 1 - from) * size);
  }
  return { ...array, values };
}

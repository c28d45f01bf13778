/** Keras model files (`.h5`): reading those of Keras 1, 2 and 3, and writing what Keras 2 and 3 open. */

import { formatShape, sizeOf, type WeightArray } from '../../core/weights.js';
import type { UpdateFacts } from '../../federation/client-update.js';
import { isZip } from '../data/zip.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import {
  allBytes,
  type ByteSource,
  memorySource,
  withOpenFile,
  writeFileHashed,
} from '../files/byte-source.js';
import { type ReadLimits, sha256 } from '../files/read-file.js';
import { readHdf5 } from '../hdf5/hdf5-reader.js';
import { type Hdf5Writer, MAX_INLINE_ATTRIBUTE_BYTES, writeHdf5, writeHdf5To } from '../hdf5/hdf5-writer.js';
import { readUpdateAttributes, writeExtras, writeUpdateAttributes } from './client-update-file.js';
import { encodeArchive, makeGroups, openArchive, writeVariables } from './keras-archive.js';
import { KERAS_FILE, type KerasFile, layerConfigs, layerOf, NO_VALUES } from './keras-file.js';
import {
  checkSignature,
  type KerasHead,
  METRICS_ATTRIBUTE,
  NAMES_ATTRIBUTE,
  OtherArraysError,
  type ReadOptions,
  readModel,
  SCALE_ATTRIBUTE,
} from './keras-hdf5-reader.js';

export { KERAS_FILE, OtherArraysError, type ReadOptions };

/** Reads a Keras model file. @throws {DataError} when it is missing, damaged, or no model. */
export function readKerasFile(path: string, options?: ReadOptions): Promise<KerasFile> {
  return withOpenFile(path, KERAS_FILE, (file) => readKerasFrom(file, path, options));
}

/** Reads a Keras model from the bytes of its file; `name` is what errors call it. @throws {DataError} as above. */
export function decodeKerasFile(bytes: Uint8Array, name: string, options?: ReadOptions): Promise<KerasFile> {
  return readKerasFrom(memorySource(bytes), name, options);
}

/** Reads a Keras model; of a large one no more than its arrays are in memory. @throws {DataError} as above. */
export async function readKerasFrom(
  source: ByteSource,
  name: string,
  options?: ReadOptions,
): Promise<KerasFile> {
  const { hdf5: weights, archived } = await hdf5Of(source, name);
  return readHdf5(weights, name, (hdf5) => readModel(hdf5, name, { ...options, archived }));
}

/** The HDF5 file that a model's file is, or holds. @throws {DataError} where it is neither */
async function hdf5Of(
  source: ByteSource,
  name: string,
): Promise<{ readonly hdf5: ByteSource; readonly archived?: KerasHead | undefined }> {
  const head = new Uint8Array(4);
  source.read(head, 0);
  if (!isZip(head)) {
    checkSignature(source, name);
    return { hdf5: source };
  }
  const { head: archived, weights } = await openArchive(allBytes(source), name);
  const hdf5 = memorySource(weights);
  checkSignature(hdf5, name);
  return { hdf5, archived };
}

/**
 * The facts of the client update in a Keras model file, or undefined where it is a plain model; its weights and
 * architecture are not looked at.
 *
 * @throws {DataError} when the file is missing, damaged, or its facts make no sense.
 */
export function readUpdateFacts(path: string, limits?: ReadLimits): Promise<UpdateFacts | undefined> {
  const facts = async (file: ByteSource) => {
    const { hdf5: weights } = await hdf5Of(file, path);
    return readHdf5(weights, path, (hdf5) => readUpdateAttributes(hdf5, path));
  };
  return withOpenFile(path, KERAS_FILE, facts, limits);
}

/** The bytes of a Keras model file, in HDF5 or as Keras 3's archive. Equal models give equal bytes. */
export async function encodeKerasFile(file: KerasFile, format: KerasFormat = 'h5'): Promise<Uint8Array> {
  if (format === 'h5') return writeHdf5((hdf5) => writeModel(hdf5, file));
  const weights = await writeHdf5((hdf5) => {
    writeFacts(hdf5, file);
    writeVariables(hdf5, file);
    if (file.extras !== undefined) writeExtras(hdf5, file.extras);
  });
  return encodeArchive(file, weights);
}

/** The two kinds of model file. */
export type KerasFormat = 'h5' | 'keras';

/** The kind of a file by the ending of its name. */
export const formatOf = (path: string): KerasFormat => (path.endsWith('.keras') ? 'keras' : 'h5');

/**
 * Writes a Keras model file atomically, an archive where its name ends in `.keras`, and returns the sha256 of its bytes.
 *
 * @throws {StorageError} when the volume refuses.
 */
export async function writeKerasFile(path: string, file: KerasFile): Promise<string> {
  if (formatOf(path) === 'h5')
    return writeFileHashed(path, (target) => writeHdf5To(target, (hdf5) => writeModel(hdf5, file)));
  const bytes = await encodeKerasFile(file, 'keras');
  await writeFileAtomic(path, bytes);
  return sha256(bytes);
}

/** Writes numbers of the array `name`, from position `from` on. */
type WritePart = (name: string, from: number, values: Float32Array) => void;

/**
 * The same in HDF5, of a model whose large arrays have no values: `fill` writes these, in parts.
 *
 * @throws {StorageError} when the volume refuses; what `fill` throws, and the file does not appear
 */
export function writeLargeKerasFile(
  path: string,
  file: KerasFile,
  fill: (write: WritePart) => Promise<void>,
): Promise<string> {
  return writeFileHashed(path, async (target) => {
    const rooms = new Map<string, number>();
    await writeHdf5To(target, (hdf5) => writeModel(hdf5, file, rooms));
    await fill((name, from, { buffer, byteOffset, byteLength }) => {
      const place = rooms.get(name);
      if (place === undefined) throw new Error(`no room was made for ${name}`);
      target.write(
        new Uint8Array(buffer, byteOffset, byteLength),
        place + from * Float32Array.BYTES_PER_ELEMENT,
      );
    });
  });
}

/** What is ours beside a model; Keras passes over it. */
function writeFacts(hdf5: Hdf5Writer, file: KerasFile): void {
  if (file.scale !== undefined) hdf5.text('/', SCALE_ATTRIBUTE, file.scale);
  if (file.names !== undefined) hdf5.text('/', NAMES_ATTRIBUTE, JSON.stringify(file.names));
  if (file.metrics !== undefined) hdf5.text('/', METRICS_ATTRIBUTE, file.metrics.join(','));
  if (file.update !== undefined) writeUpdateAttributes(hdf5, file.update);
}

const ROOT = '/model_weights';

/** Fills `hdf5` with the model. Calls come in a fixed order: it decides the bytes. */
function writeModel(hdf5: Hdf5Writer, file: KerasFile, rooms?: Map<string, number>): void {
  const layers = layerConfigs(file.modelConfig, 'the model to be written').map(({ name }) => name);
  const arraysOf = groupByLayer(file, new Set(layers));
  writeVersion(hdf5, '/', file);
  hdf5.text('/', 'model_config', JSON.stringify(file.modelConfig));
  if (file.trainingConfig !== undefined) hdf5.text('/', 'training_config', file.trainingConfig);
  writeFacts(hdf5, file);

  const groups = new Set<string>();
  makeGroups(hdf5, groups, ROOT);
  writeVersion(hdf5, ROOT, file);
  writeNames(hdf5, { path: ROOT, name: 'layer_names', values: layers });
  for (const layer of layers) {
    const group = `${ROOT}/${layer}`;
    const arrays = arraysOf.get(layer) ?? [];
    makeGroups(hdf5, groups, group);
    writeNames(hdf5, { path: group, name: 'weight_names', values: arrays.map(({ name }) => name) });
    for (const array of arrays) {
      const path = `${group}/${array.name}`;
      makeGroups(hdf5, groups, path.slice(0, path.lastIndexOf('/')));
      const room =
        rooms !== undefined && array.values === NO_VALUES ? hdf5.room(path, array.shape) : undefined;
      if (room === undefined) hdf5.floats(path, array);
      else rooms?.set(array.name, room);
    }
  }
  if (file.extras !== undefined) writeExtras(hdf5, file.extras);
}

/** A model whose weights do not fit its architecture is a mistake of the program that made it, not of a file. */
function groupByLayer(
  file: KerasFile,
  layers: ReadonlySet<string>,
): ReadonlyMap<string, readonly WeightArray[]> {
  const groups = new Map<string, WeightArray[]>();
  for (const array of file.weights) {
    const layer = layerOf(array.name, layers);
    if (layer === undefined) throw new Error(`Weight ${array.name} belongs to no layer of the model.`);
    if (array.values !== NO_VALUES && sizeOf(array.shape) !== array.values.length) {
      throw new Error(
        `Weight ${array.name} of ${formatShape(array.shape)} has ${array.values.length} values.`,
      );
    }
    const arrays = groups.get(layer);
    if (arrays) arrays.push(array);
    else groups.set(layer, [array]);
  }
  return groups;
}

function writeVersion(hdf5: Hdf5Writer, path: string, { kerasVersion }: KerasFile): void {
  hdf5.text(path, 'keras_version', kerasVersion);
  hdf5.text(path, 'backend', 'tensorflow');
}

interface NameList {
  readonly path: string;
  readonly name: string;
  readonly values: readonly string[];
}

/** Writes a list of names, split over `name0`, `name1`, … where it is too long for one attribute, as Keras does. */
function writeNames(hdf5: Hdf5Writer, { path, name, values }: NameList): void {
  const longest = values.reduce((most, value) => Math.max(most, Buffer.byteLength(value) + 1), 1);
  const perPart = Math.max(1, Math.floor(MAX_INLINE_ATTRIBUTE_BYTES / longest));
  if (values.length <= perPart) {
    hdf5.texts(path, name, values);
    return;
  }
  for (let part = 0; part * perPart < values.length; part++) {
    hdf5.texts(path, `${name}${part}`, values.slice(part * perPart, (part + 1) * perPart));
  }
}

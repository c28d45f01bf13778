/** Keras model files (`.h5`): reading those of Keras 1, 2 and 3, and writing what Keras 2 and 3 open. */
import type { UpdateFacts } from '../../federation/client-update.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { type ReadLimits, readFileBytes, sha256 } from '../files/read-file.js';
import { readHdf5 } from '../hdf5/hdf5-reader.js';
import { writeHdf5 } from '../hdf5/hdf5-writer.js';
import { readUpdateAttributes } from './client-update-file.js';
import type { KerasFile } from './keras-file.js';
import {
  checkSignature,
  KERAS_FILE,
  OtherArraysError,
  type ReadOptions,
  readModel,
} from './keras-hdf5-reader.js';
import { writeModel } from './keras-hdf5-writer.js';

export { KERAS_FILE, OtherArraysError, type ReadOptions };

/** Reads a Keras model file. @throws {DataError} when it is missing, damaged, or no model. */
export async function readKerasFile(path: string, options?: ReadOptions): Promise<KerasFile> {
  return decodeKerasFile(await readFileBytes(path, KERAS_FILE), path, options);
}

/** Reads a Keras model from the bytes of its file; `name` is what errors call it. @throws {DataError} as above. */
export async function decodeKerasFile(
  bytes: Uint8Array,
  name: string,
  options?: ReadOptions,
): Promise<KerasFile> {
  checkSignature(bytes, name);
  return readHdf5(bytes, name, (hdf5) => readModel(hdf5, name, options));
}

/**
 * The facts of the client update in a Keras model file, or undefined where it is a plain model; its weights and
 * architecture are not looked at.
 *
 * @throws {DataError} when the file is missing, damaged, or its facts make no sense.
 */
export async function readUpdateFacts(path: string, limits?: ReadLimits): Promise<UpdateFacts | undefined> {
  const bytes = await readFileBytes(path, KERAS_FILE, limits);
  checkSignature(bytes, path);
  return readHdf5(bytes, path, (hdf5) => readUpdateAttributes(hdf5, path));
}

/** The bytes of a Keras model file. Equal models give equal bytes. */
export async function encodeKerasFile(file: KerasFile): Promise<Uint8Array> {
  return writeHdf5((hdf5) => writeModel(hdf5, file));
}

/**
 * Writes a Keras model file atomically and returns the sha256 of its bytes.
 *
 * @throws {StorageError} when the volume refuses.
 */
export async function writeKerasFile(path: string, file: KerasFile): Promise<string> {
  const bytes = await encodeKerasFile(file);
  await writeFileAtomic(path, bytes);
  return sha256(bytes);
}

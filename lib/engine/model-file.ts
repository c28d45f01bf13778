/** From a model's file to a model that engines take: read, decoded, checked, and known by the hash of the file. */

import { readFileBytes, requireHash, sha256 } from '../formats/files/read-file.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import { decodeKerasFile, KERAS_FILE } from '../formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../model/keras/keras-model.js';
import type { Model } from '../model/model-description.js';
import { releaseMemory } from '../system/memory.js';

/** A model, and the file that it came from. */
export interface ModelFromFile {
  readonly file: KerasFile;
  readonly model: Model;
  /** Of the file. */
  readonly sha256: string;
}

interface ReadingOptions {
  /** What is to lie there, for errors. */
  readonly expected?: string;
  /** Its sha256, where it is known what has to lie there. */
  readonly known?: string | undefined;
  /** What was read of the file before; it stays as it is. */
  readonly bytes?: Uint8Array | undefined;
  /** Refuses what training would not respect. */
  readonly forTraining?: boolean;
}

/**
 * Reads a model, which may have layers that only other programs know.
 *
 * @throws {DataError} when it is missing, damaged, another one than is known, or none that can be used
 */
export async function readModelFile(
  path: string,
  { expected = KERAS_FILE, known, bytes: given, forTraining = false }: ReadingOptions = {},
): Promise<ModelFromFile> {
  const bytes = given ?? (await readFileBytes(path, expected));
  const hash = sha256(bytes);
  requireHash(path, expected, { known, found: hash });
  const file = await decodeKerasFile(bytes, path);
  if (given === undefined) releaseMemory(bytes);
  const model = modelFromKeras(file, path, { keepForeignLayers: true, forTraining });
  return { file, model, sha256: hash };
}

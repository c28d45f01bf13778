/** Finds architecture, weights and fedbatch's facts in an open Keras HDF5 file. */
import type { UpdateFacts } from '../federation/client-update.js';
import { DataError } from '../federation/errors.js';
import { sizeOf, type WeightArray, type Weights } from '../federation/weights.js';
import type { Hdf5Reader } from './hdf5.js';
import type { KerasFile } from './keras-file.js';
import { canonicalNames, layerNames } from './keras-names.js';

/** The eight bytes that open an HDF5 file, or stand at byte 512, 1024, 2048, … after a user block. */
const HDF5_SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
const ZIP_SIGNATURE = Buffer.from('PK\x03\x04', 'latin1');
const EXPECTED = 'a Keras model in HDF5 (.h5)';

/** Tells a wrong kind of file by its first bytes. @throws {DataError} naming what it is and what to do. */
export function checkSignature(bytes: Uint8Array, file: string): void {
  if (startsWith(bytes, HDF5_SIGNATURE, 0)) return;
  for (let at = 512; at < bytes.length; at *= 2) if (startsWith(bytes, HDF5_SIGNATURE, at)) return;
  if (startsWith(bytes, ZIP_SIGNATURE, 0)) {
    throw new DataError({
      file,
      expected: EXPECTED,
      found: 'a zip archive, probably Keras\' ".keras" format: save it again with model.save("model.h5")',
    });
  }
  throw new DataError({
    file,
    expected: EXPECTED,
    found: bytes.length === 0 ? 'an empty file' : 'a file of another format',
  });
}

/** Reads the model. @throws {DataError} when the file holds no model or an incomplete one. */
export function readModel(hdf5: Hdf5Reader, file: string): KerasFile {
  const attributes = hdf5.attributeNames('/');
  const modelConfig = readModelConfig(hdf5, attributes, file);
  const root = hdf5.kind('/model_weights') === 'group' ? '/model_weights' : '';
  if (root === '') throw new DataError({ file, expected: 'a group "model_weights"', found: 'none' });
  const versionAt = attributes.includes('keras_version') ? '/' : root;
  const hasVersion = versionAt === '/' || hdf5.attributeNames(root).includes('keras_version');
  const update = readFacts(hdf5, attributes, file);
  return {
    modelConfig,
    weights: readWeights(hdf5, { root, file, expectedLayers: layerNames(modelConfig, file) }),
    // Keras 1 before 1.0.8 wrote no version; Keras itself takes such a file for one of Keras 1.
    kerasVersion: hasVersion ? hdf5.text(versionAt, 'keras_version') : '1',
    ...(update === undefined ? {} : { update }),
  };
}

function readModelConfig(hdf5: Hdf5Reader, attributes: readonly string[], file: string): unknown {
  if (!attributes.includes('model_config')) {
    const weightsOnly = attributes.some((name) => /^layer_names\d*$/.test(name));
    throw new DataError({
      file,
      expected: `${EXPECTED} with its architecture (attribute "model_config")`,
      found: weightsOnly
        ? 'weights alone, as save_weights() writes them: save the whole model with model.save("model.h5")'
        : 'an HDF5 file without it',
    });
  }
  try {
    return JSON.parse(hdf5.text('/', 'model_config'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const problem = { file, expected: 'JSON in attribute "model_config"', found: error.message };
    throw new DataError(problem, { cause: error });
  }
}

interface WeightsPlace {
  readonly root: string;
  readonly file: string;
  readonly expectedLayers: readonly string[];
}

function readWeights(hdf5: Hdf5Reader, { root, file, expectedLayers }: WeightsPlace): Weights {
  const weights: WeightArray[] = [];
  const unknown = new Set(expectedLayers);
  for (const layer of readNames(hdf5, root, 'layer_names', file)) {
    const group = `${root}/${layer}`;
    if (hdf5.kind(group) !== 'group') {
      throw new DataError({ file, expected: `a group of weights at ${group}`, found: 'none' });
    }
    const names = readNames(hdf5, group, 'weight_names', file);
    if (!unknown.delete(layer) && names.length > 0) {
      throw new DataError({
        file,
        expected: `weights of the layers in model_config`,
        found: `weights of another layer, "${layer}"`,
      });
    }
    const ours = canonicalNames(layer, names);
    names.forEach((name, index) => {
      const path = `${group}/${name}`;
      if (hdf5.kind(path) !== 'dataset') {
        throw new DataError({ file, expected: `an array at ${path}`, found: 'none' });
      }
      weights.push({ name: ours[index] as string, ...hdf5.floats(path) });
    });
  }
  const [missing] = unknown;
  if (missing === undefined) return weights;
  throw new DataError({ file, expected: `layer "${missing}" in ${root}`, found: 'none' });
}

/** A list of names that Keras splits over `name0`, `name1`, … where it is too long for one attribute. */
function readNames(hdf5: Hdf5Reader, path: string, name: string, file: string): readonly string[] {
  const attributes = new Set(hdf5.attributeNames(path));
  if (attributes.has(name)) return hdf5.texts(path, name);
  const names: string[] = [];
  let part = 0;
  while (attributes.has(`${name}${part}`)) names.push(...hdf5.texts(path, `${name}${part++}`));
  if (part > 0) return names;
  throw new DataError({ file, expected: `attribute "${name}" of ${path}`, found: 'none' });
}

function readFacts(hdf5: Hdf5Reader, attributes: readonly string[], file: string): UpdateFacts | undefined {
  const present = FACT_ATTRIBUTES.filter((name) => attributes.includes(name));
  if (present.length === 0) return undefined;
  const missing = FACT_ATTRIBUTES.find((name) => !present.includes(name));
  if (missing !== undefined) throw new DataError({ file, expected: `attribute "${missing}"`, found: 'none' });
  const facts = {
    client: hdf5.integer('/', 'fedbatch_client'),
    round: hdf5.integer('/', 'fedbatch_round'),
    examples: hdf5.integer('/', 'fedbatch_examples'),
    parent: hdf5.text('/', 'fedbatch_parent'),
  };
  if (facts.client >= 0 && facts.round >= 1 && facts.examples >= 0 && /^[0-9a-f]{64}$/.test(facts.parent)) {
    return facts;
  }
  throw new DataError({
    file,
    expected: 'facts of a client update (client ≥ 0, round ≥ 1, examples ≥ 0, a sha256 of the parent)',
    found: JSON.stringify(facts),
  });
}

/** Root attributes of a client update; all or none are present. */
export const FACT_ATTRIBUTES = [
  'fedbatch_client',
  'fedbatch_round',
  'fedbatch_examples',
  'fedbatch_parent',
] as const;

function startsWith(bytes: Uint8Array, start: Uint8Array, at: number): boolean {
  return start.every((byte, index) => bytes[at + index] === byte);
}

/** Whether an array holds as many numbers as its shape says. */
export function isComplete({ shape, values }: WeightArray): boolean {
  return sizeOf(shape) === values.length;
}

/** `.keras` files of Keras 3 (and 2.13 on): a zip of config.json, metadata.json and the weights in HDF5. */
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import { encodeZip, openZip } from '../data/zip.js';
import { parseDocument } from '../files/json-document.js';
import { readTextFile } from '../files/read-file.js';
import type { Hdf5Writer } from '../hdf5/hdf5-writer.js';
import { ARCHITECTURE, canonicalNames, KERAS_FILE, type KerasFile, layerConfigs } from './keras-file.js';
import type { KerasHead } from './keras-hdf5-reader.js';
import { groupNames, groupsOf, variablesOf } from './keras-variables.js';

const [CONFIG, METADATA, WEIGHTS] = ['config.json', 'metadata.json', 'model.weights.h5'] as const;

const objectSchema = z.record(z.string(), z.unknown());
const configSchema = z.looseObject({ compile_config: objectSchema.nullish() });
const modelSchema = z.looseObject({ class_name: z.string().default('Sequential') });
const compilationSchema = z.looseObject({
  optimizer_config: z.looseObject({ class_name: z.string() }),
  loss: z.unknown().optional(),
  metrics: z.unknown().optional(),
  loss_weights: objectSchema.nullish(),
});
const namesSchema = z.array(z.string());
const metadataSchema = z.looseObject({ keras_version: z.string() });

/** What an archive holds. */
interface KerasArchive {
  readonly head: KerasHead;
  /** HDF5. */
  readonly weights: Uint8Array;
}

/**
 * Opens the archive in `bytes`.
 *
 * @throws {DataError} when a member is missing, damaged, or far larger than the file
 */
export async function openArchive(bytes: Uint8Array, file: string): Promise<KerasArchive> {
  const zip = await openZip(bytes, { file, expected: KERAS_FILE, kind: 'member', stored: 'Keras' });
  const missing = [CONFIG, METADATA, WEIGHTS].find((name) => !zip.names.includes(name));
  if (missing !== undefined) {
    const found = `a zip archive without ${missing}`;
    throw new DataError({ file, expected: KERAS_FILE, found });
  }
  const json = <T>(name: string, schema: z.ZodType<T>) =>
    parseDocument(new TextDecoder().decode(zip.read(name)), { schema, file, expected: `JSON in ${name}` });
  const { keras_version: kerasVersion } = json(METADATA, metadataSchema);
  return { head: { ...headOf(json(CONFIG, configSchema)), kerasVersion }, weights: zip.read(WEIGHTS) };
}

/** A model's JSON, with what it was compiled with apart from it. */
function headOf({ compile_config: compiled, ...modelConfig }: z.infer<typeof configSchema>) {
  const { optimizer, ...others } = compiled ?? {};
  // Keras leaves the optimizer out of some files, and means none that anybody chose.
  const isCompiled = typeof optimizer === 'object' && optimizer !== null;
  const trainingConfig = JSON.stringify({ ...others, optimizer_config: optimizer });
  return { modelConfig, ...(isCompiled ? { trainingConfig } : {}) };
}

/** Reads an architecture as Keras' `to_json` gives it. @throws {DataError} when the file is missing, or no JSON */
export async function readArchitecture(path: string): Promise<KerasHead> {
  return parseArchitecture(await readTextFile(path, ARCHITECTURE), path);
}

/** The same of a text. @throws {DataError} when it is no JSON of a model */
export function parseArchitecture(text: string, path: string): KerasHead {
  const read = parseDocument(text, { schema: configSchema, file: path, expected: ARCHITECTURE });
  const { keras_version: version, backend: _, ...config } = read;
  // Keras 3 tells no version there, but whose the class is.
  const kerasVersion = typeof version === 'string' ? version : 'module' in config ? '3' : '1';
  return { ...headOf(config), kerasVersion };
}

/** The names that the arrays of a model have in its files, where its classes tell them. */
export function arrayNames(modelConfig: unknown, file: string): readonly string[] {
  const layers = layerConfigs(modelConfig, file);
  return layers.flatMap((layer) => {
    const places = variablesOf(layer, { group: '', file, count: () => 0 });
    return canonicalNames(
      layer.name,
      places.map(({ name }) => name),
    );
  });
}

/** The archive of a model whose weights are the HDF5 file `weights`. Equal models give equal bytes. */
export function encodeArchive(file: KerasFile, weights: Uint8Array): Uint8Array {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const model = modelSchema.parse(file.modelConfig);
  return encodeZip([
    [METADATA, text({ keras_version: file.kerasVersion, ...file.facts })],
    [CONFIG, text({ ...model, ...PLACE, class_name: publicClass(model.class_name), ...compilationOf(file) })],
    [WEIGHTS, weights],
  ]);
}

/** Where Keras finds the class of a model; HDF5 files leave that out. */
const PLACE = { module: 'keras', registered_name: null };

/** What Keras 2 and 3 both call the class there: that of functional models has no public name, and is another module in each. */
const publicClass = (className: string) => (className === 'Functional' ? 'Model' : className);

/** What a model was compiled with, as such files tell it: metrics by their names alone, which all Keras read. */
function compilationOf({ trainingConfig = 'null' }: KerasFile) {
  const { success, data } = compilationSchema.safeParse(parseJson(trainingConfig));
  // What nobody can read is left out: whoever trains has refused it.
  if (!success) return {};
  const { optimizer_config: optimizer, loss, metrics, loss_weights: weights } = data;
  const compiled = {
    optimizer: {
      module: 'keras.optimizers',
      registered_name: null,
      // Keras 2.11 to 2.15 write their own classes as custom ones.
      ...{ ...optimizer, class_name: optimizer.class_name.replace(/^Custom>/, '') },
    },
    loss,
    ...(namesSchema.safeParse(metrics).success ? { metrics } : {}),
    ...(weights ? { loss_weights: weights } : {}),
  };
  return { compile_config: compiled };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What errors call a model that is no file yet. */
const WRITTEN = 'the model to be written';

/** Lays the weights out where Keras looks for them in the HDF5 file of an archive. */
export function writeVariables(hdf5: Hdf5Writer, file: KerasFile): void {
  const layers = layerConfigs(file.modelConfig, WRITTEN);
  const groups = groupNames(layers);
  const left = [...file.weights];
  const made = new Set<string>();
  hdf5.group('/vars');
  for (const [at, layer] of layers.entries()) {
    const group = `/layers/${groups[at]}`;
    const own = left.findIndex(({ name }) => !name.startsWith(`${layer.name}/`));
    const count = own < 0 ? left.length : own;
    // Inside of a model in the model, layers of classes that do not say how many arrays they have, such as Add, have none.
    const countIn = (inner: string) => (inner === group ? count : 0);
    const places = variablesOf(layer, { group, file: WRITTEN, count: countIn });
    if (places.length !== count)
      throw new Error(
        `${layer.name} has ${count} arrays, of which ${places.length} have a place in ${WRITTEN}`,
      );
    for (const [inner, name] of groupsOf(layer, { group, file: WRITTEN })) {
      makeGroups(hdf5, made, `${inner}/vars`);
      hdf5.text(`${inner}/vars`, 'name', name);
    }
    for (const { path, name } of places) {
      const array = left.shift();
      if (array === undefined) throw new Error(`no array for ${name} of ${WRITTEN}`);
      hdf5.floats(path, array);
    }
  }
  const [over] = left;
  if (over !== undefined) throw new Error(`Weight ${over.name} belongs to no layer of the model.`);
}

/** Makes the group at `path` and those above it, where they do not exist yet. */
export function makeGroups(hdf5: Hdf5Writer, made: Set<string>, path: string): void {
  for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
    const group = end < 0 ? path : path.slice(0, end);
    if (!made.has(group)) hdf5.group(group);
    made.add(group);
    if (end < 0) return;
  }
}

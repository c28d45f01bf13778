/** Lays a model out in HDF5 the way Keras 2 and 3 look for it. */
import { sizeOf, type WeightArray } from '../federation/weights.js';
import { type Hdf5Writer, MAX_INLINE_ATTRIBUTE_BYTES } from './hdf5.js';
import type { KerasFile } from './keras-file.js';
import { layerNames, layerOf } from './keras-names.js';

/** Fills `hdf5` with the model. Calls come in a fixed order: it decides the bytes. */
export function writeModel(hdf5: Hdf5Writer, file: KerasFile): void {
  const layers = layerNames(file.modelConfig, 'the model to write');
  const weightsOf = groupByLayer(file, layers);
  writeVersion(hdf5, '/', file);
  hdf5.text('/', 'model_config', JSON.stringify(file.modelConfig));
  if (file.update !== undefined) {
    hdf5.integer('/', 'fedbatch_client', file.update.client);
    hdf5.integer('/', 'fedbatch_round', file.update.round);
    hdf5.integer('/', 'fedbatch_examples', file.update.examples);
    hdf5.text('/', 'fedbatch_parent', file.update.parent);
  }
  const groups = new Set<string>();
  makeGroups(hdf5, groups, '/model_weights');
  writeVersion(hdf5, '/model_weights', file);
  writeNames(hdf5, { path: '/model_weights', name: 'layer_names', values: layers });
  for (const layer of layers) {
    const group = `/model_weights/${layer}`;
    const arrays = weightsOf.get(layer) ?? [];
    makeGroups(hdf5, groups, group);
    writeNames(hdf5, { path: group, name: 'weight_names', values: arrays.map(({ name }) => name) });
    for (const array of arrays) {
      const path = `${group}/${array.name}`;
      makeGroups(hdf5, groups, path.slice(0, path.lastIndexOf('/')));
      hdf5.floats(path, array);
    }
  }
}

function groupByLayer(
  file: KerasFile,
  layers: readonly string[],
): ReadonlyMap<string, readonly WeightArray[]> {
  const groups = new Map<string, WeightArray[]>();
  for (const array of file.weights) {
    const layer = layerOf(array.name, layers);
    if (layer === undefined) throw new Error(`weight "${array.name}" belongs to no layer of the model`);
    if (sizeOf(array.shape) !== array.values.length) {
      throw new Error(`weight "${array.name}" has ${array.values.length} values, not what its shape says`);
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

/** Makes the group at `path` and those above it, where they do not exist yet. */
function makeGroups(hdf5: Hdf5Writer, made: Set<string>, path: string): void {
  const parts = path.slice(1).split('/');
  for (let depth = 1; depth <= parts.length; depth++) {
    const group = `/${parts.slice(0, depth).join('/')}`;
    if (made.has(group)) continue;
    made.add(group);
    hdf5.group(group);
  }
}

/** Writes a list of names, split over `name0`, `name1`, … where it is too long for one attribute. */
function writeNames(
  hdf5: Hdf5Writer,
  {
    path,
    name,
    values,
  }: { readonly path: string; readonly name: string; readonly values: readonly string[] },
): void {
  const longest = Math.max(1, ...values.map((value) => Buffer.byteLength(value) + 1));
  const perPart = Math.max(1, Math.floor(MAX_INLINE_ATTRIBUTE_BYTES / longest));
  if (values.length <= perPart) {
    hdf5.texts(path, name, values);
    return;
  }
  for (let part = 0; part * perPart < values.length; part++) {
    hdf5.texts(path, `${name}${part}`, values.slice(part * perPart, (part + 1) * perPart));
  }
}

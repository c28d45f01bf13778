/**
 * What a client update has beside a Keras model, which Keras itself passes over: its facts as HDF5 root attributes, and
 * below `/fedbatch_extras` what its strategy needs, a number as one float64, a tensor as a group of float32 arrays whose
 * attribute `sha256` is that of their names and values: a client goes on from them rounds later, when no record of the
 * file is looked at any more.
 */
import { createHash } from 'node:crypto';
import { DataError } from '../../core/errors.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import { type ExtraKinds, type Extras, trainableOf } from '../../federation/client-side.js';
import { compareArrays, type UpdateFacts } from '../../federation/client-update.js';
import type { Hdf5Reader } from '../hdf5/hdf5-reader.js';
import type { Hdf5Writer } from '../hdf5/hdf5-writer.js';

/** Root attributes of a client update: all are present or none is. */
const ATTRIBUTES = ['fedbatch_client', 'fedbatch_round', 'fedbatch_examples', 'fedbatch_parent'] as const;

/** The facts in an open file, or undefined where there are none. @throws {DataError} when they make no sense. */
export function readUpdateAttributes(hdf5: Hdf5Reader, file: string): UpdateFacts | undefined {
  const present = new Set(hdf5.attributeNames('/'));
  const missing = ATTRIBUTES.filter((name) => !present.has(name));
  if (missing.length === ATTRIBUTES.length) return undefined;
  if (missing.length > 0) {
    throw new DataError({
      file,
      expected: `the attribute "${missing[0]}" with the other update attributes`,
      found: 'none',
    });
  }
  const facts: UpdateFacts = {
    client: hdf5.integer('/', 'fedbatch_client'),
    round: hdf5.integer('/', 'fedbatch_round'),
    examples: hdf5.integer('/', 'fedbatch_examples'),
    parent: hdf5.text('/', 'fedbatch_parent'),
  };
  // Zero examples can be stored: it is for the aggregator to reject, by name and with the reason.
  const sane = facts.client >= 0 && facts.round >= 1 && facts.examples >= 0;
  if (sane && /^[0-9a-f]{64}$/.test(facts.parent)) return facts;
  throw new DataError({
    file,
    expected: 'facts of a client update (client ≥ 0, round ≥ 1, examples ≥ 0, the sha256 of its parent)',
    found: JSON.stringify(facts),
  });
}

/** Writes the facts into a new file. */
export function writeUpdateAttributes(hdf5: Hdf5Writer, facts: UpdateFacts): void {
  hdf5.integer('/', 'fedbatch_client', facts.client);
  hdf5.integer('/', 'fedbatch_round', facts.round);
  hdf5.integer('/', 'fedbatch_examples', facts.examples);
  hdf5.text('/', 'fedbatch_parent', facts.parent);
}

const EXTRAS = '/fedbatch_extras';

/** Writes what the strategy needs into a new file. */
export function writeExtras(hdf5: Hdf5Writer, extras: Extras): void {
  hdf5.group(EXTRAS);
  for (const [name, extra] of Object.entries(extras)) {
    const path = `${EXTRAS}/${name}`;
    if (typeof extra === 'number') hdf5.floats(path, { shape: [1], values: Float64Array.of(extra) });
    else writeTensor(hdf5, path, extra);
  }
}

/** Writes arrays below `path`, each under its place with the attribute `name`, and the digest of all of them. */
export function writeTensor(hdf5: Hdf5Writer, path: string, arrays: Weights): void {
  hdf5.group(path);
  for (const [index, array] of arrays.entries()) {
    hdf5.floats(`${path}/${index}`, array);
    hdf5.text(`${path}/${index}`, 'name', array.name);
  }
  hdf5.text(path, SHA256, () => sha256OfArrays(arrays));
}

const SHA256 = 'sha256';

function sha256OfArrays(arrays: Weights): string {
  const hash = createHash('sha256');
  for (const { name, values } of arrays)
    hash.update(`${name}\0`).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return hash.digest('hex');
}

/** The arrays that were read below `path`. @throws {DataError} where they are others than its digest tells, if it has one */
export function ownArrays(hdf5: Hdf5Reader, path: string, { file, arrays }: ReadArrays): Weights {
  if (!hdf5.attributeNames(path).includes(SHA256) || hdf5.text(path, SHA256) === sha256OfArrays(arrays))
    return arrays;
  throw new DataError({
    file,
    expected: `${path} with the values that its attribute ${SHA256} was made of`,
    found: 'others: the file is damaged',
  });
}

interface ReadArrays {
  readonly file: string;
  readonly arrays: Weights;
}

/** Which extras are read, and the model that their tensors belong to. */
interface ExtrasOptions {
  readonly kinds: ExtraKinds;
  readonly like: Weights;
}

/**
 * The extras that are there, of those that are asked for.
 *
 * @throws {DataError} when one is of another kind or shape, or its values are not those of its `sha256`, if it has one
 */
export function readExtras(hdf5: Hdf5Reader, file: string, { kinds, like }: ExtrasOptions): Extras {
  const extras: Record<string, number | Weights> = {};
  for (const [name, { kind }] of Object.entries(kinds)) {
    const path = `${EXTRAS}/${name}`;
    if (hdf5.kind(EXTRAS) !== 'group' || hdf5.kind(path) === null) continue;
    extras[name] =
      kind === 'number'
        ? (hdf5.doubles(path, 1)[0] as number)
        : readTensor(hdf5, path, { file, like: trainableOf(like) });
  }
  return extras;
}

interface TensorOptions {
  readonly file: string;
  readonly like: Weights;
}

/** Shapes are compared before numbers are read. */
function readTensor(hdf5: Hdf5Reader, path: string, { file, like }: TensorOptions): Weights {
  if (hdf5.kind(path) !== 'group')
    throw new DataError({ file, expected: `a tensor at ${path}`, found: 'one array' });
  const outlines = like.flatMap(({ name: wanted }, index) => {
    const at = `${path}/${index}`;
    if (hdf5.kind(at) !== 'dataset') return [];
    const { shape, read, isPlain } = hdf5.array(at, ['float32']);
    const name = hdf5.attributeNames(at).includes('name') ? hdf5.text(at, 'name') : wanted;
    return [{ name, shape, read, isPlain }];
  });
  const difference =
    compareArrays(outlines, like) ??
    (outlines.every(({ isPlain }) => isPlain) ? null : 'is stored in chunks, which may be compressed');
  if (difference !== null)
    throw new DataError({
      file,
      expected: `${path} like the trainable arrays of the model`,
      found: `that it ${difference}`,
    });
  const arrays = outlines.map(({ name, shape, read }): WeightArray => ({ name, shape, values: read() }));
  return ownArrays(hdf5, path, { file, arrays });
}

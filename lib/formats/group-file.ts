/**
 * The sums of a group of client updates in a file (HDF5): `/group` is JSON that says whose they are, and
 * `/sums/<array>/<part>` are float64 arrays that add up to Σ n_k · w^k of the model's array, exactly.
 */

import { z } from 'zod';
import { DataError } from '../core/errors.js';
import { sizeOf } from '../core/weights.js';
import type { WeightedSums } from '../federation/weighted-mean.js';
import { memorySource } from './files/byte-source.js';
import { parseDocument } from './files/json-document.js';
import { readFileBytes } from './files/read-file.js';
import { type Hdf5Reader, readHdf5 } from './hdf5/hdf5-reader.js';
import { writeHdf5 } from './hdf5/hdf5-writer.js';
import { dataNamesSchema } from './keras/data-names.js';
import { frameOf } from './keras/keras-file.js';
import { checkSignature } from './keras/keras-hdf5-reader.js';

/** What error messages call such a file. */
const GROUP_FILE = 'the sums of a group of updates (fedbatch aggregate --group)';

/** More parts than a sum can have of float64 products that float32 values, numbers of examples and factors give. */
const MAX_PARTS = 10;

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const factsSchema = z.object({
  format: z.literal(1),
  /** What the group is called. */
  group: z.string(),
  round: z.int().min(1),
  /** sha256 of the file of the global model that the updates started from. */
  parent: sha256Schema,
  /** The norm that updates were clipped to. */
  clipNorm: z.number().positive().optional(),
  /** The strategy that they are made for, where they are not sums of the weights alone. */
  strategy: z.string().optional(),
  clients: z
    .array(z.object({ client: z.int().min(0), examples: z.int().min(1), sha256: sha256Schema }))
    .min(1),
  modelConfig: z.unknown(),
  kerasVersion: z.string(),
  /** Of the model's input, where it is not 0..1. */
  scale: z.string().optional(),
  names: dataNamesSchema.optional(),
  trainingConfig: z.string().optional(),
  metrics: z.array(z.string()).readonly().optional(),
  arrays: z.array(
    z.object({ name: z.string(), shape: z.array(z.int().min(0)), parts: z.int().min(1).max(MAX_PARTS) }),
  ),
});

/** One client's share of a group's sums; `sha256` is that of its update's file. */
export type GroupClient = z.infer<typeof factsSchema>['clients'][number];

/** Whose sums they are, and of what model. */
export type GroupFacts = Omit<z.infer<typeof factsSchema>, 'arrays' | 'format'>;

/** A group's facts and sums. */
export interface GroupFile extends GroupFacts {
  readonly sums: WeightedSums;
}

/** The bytes of a group's file, the same for the same updates. */
export function encodeGroup({ sums, ...facts }: GroupFile): Promise<Uint8Array> {
  const arrays = sums.arrays.map(({ name, shape, parts }) => ({ name, shape, parts: parts.length }));
  // In the order of the schema: it decides the bytes.
  const { group, round, parent, clipNorm, strategy, clients } = facts;
  const told = {
    format: 1,
    group,
    round,
    parent,
    clipNorm,
    strategy,
    clients,
    ...frameOf(facts),
    arrays,
  };
  return writeHdf5((hdf5) => {
    hdf5.bytes('/group', new TextEncoder().encode(JSON.stringify(told)));
    hdf5.group('/sums');
    for (const [index, { parts }] of sums.arrays.entries()) {
      hdf5.group(`/sums/${index}`);
      for (const [part, values] of parts.entries()) {
        hdf5.floats(`/sums/${index}/${part}`, { shape: [values.length], values });
      }
    }
  });
}

/** Reads a group's file. @throws {DataError} when it is missing, damaged, or something else */
export async function readGroup(path: string): Promise<GroupFile> {
  const bytes = await readFileBytes(path, GROUP_FILE);
  checkSignature(memorySource(bytes), path);
  return readHdf5(bytes, path, (hdf5) => {
    if (hdf5.kind('/group') !== 'dataset' || hdf5.kind('/sums') !== 'group') {
      throw new DataError({ file: path, expected: GROUP_FILE, found: 'another HDF5 file' });
    }
    const { arrays, format, ...facts } = parseFacts(hdf5.bytes('/group'), path);
    const totalWeight = facts.clients.reduce((total, { examples }) => total + examples, 0);
    const sums = arrays.map(({ name, shape, parts }, index) => ({
      name,
      shape,
      parts: Array.from({ length: parts }, (_, part) =>
        readPart(hdf5, { path: `/sums/${index}/${part}`, length: sizeOf(shape), file: path }),
      ),
    }));
    return { ...facts, sums: { arrays: sums, totalWeight } };
  });
}

function parseFacts(bytes: Uint8Array, file: string): z.infer<typeof factsSchema> {
  const text = new TextDecoder().decode(bytes);
  return parseDocument(text, { schema: factsSchema, file, expected: `the facts of ${GROUP_FILE}` });
}

interface PartOptions {
  readonly path: string;
  readonly length: number;
  readonly file: string;
}

function readPart(hdf5: Hdf5Reader, { path, length, file }: PartOptions): Float64Array {
  const values = hdf5.doubles(path, length);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new DataError({
    file,
    expected: `finite numbers at ${path}`,
    found: `${values[at]} at position ${at}`,
  });
}

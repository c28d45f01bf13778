/** `manifest.json`: what a split made, of what, and how; written last, so that it vouches for all that it lists. */
import { z } from 'zod';
import { DataError } from '../federation/errors.js';
import { readFileBytes, writeFileAtomic } from './atomic-file.js';
import { seededPartitionSchema } from './partition-record.js';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');
const count = z.int().nonnegative();

const shardSchema = z.object({
  /** Name within the directory of the manifest. */
  file: z.string().regex(/^(\d+|test)\.npz$/, 'expected the name of a shard, like 0.npz'),
  examples: count.min(1),
  /** Whose examples they are, where the data say so: a value of the key, or the name of the shard that was given. */
  owner: z.string().optional(),
  /** Examples per class, from class 0. */
  labelHistogram: z.array(count),
  sizeBytes: count,
  sha256: sha256Hex,
});

const manifestSchema = z
  .object({
    schemaVersion: z.literal(1),
    dataset: z.object({
      /** Name without directories, for people. */
      file: z.string(),
      sha256: sha256Hex,
      /** Share of the examples held out for testing; null where the dataset brings its own test examples. */
      testFraction: z.number().gt(0).lt(1).nullable(),
    }),
    /** How the examples were dealt: the scheme, its parameters, and the seed. */
    partition: seededPartitionSchema,
    /** Number of classes over all shards and the test set. */
    classes: count.min(1),
    /** Of one image, as it lies in the file: `[h, w]` or `[h, w, c]`. */
    image: z.object({
      shape: z.array(count.min(1)).min(2).max(3),
      dtype: z.enum(['uint8', 'float32', 'float64']),
    }),
    /** Element k is client k's shard, `k.npz`. */
    shards: z.array(shardSchema).min(1),
    test: shardSchema,
  })
  .superRefine((manifest, context) => {
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [client, shard] of manifest.shards.entries()) {
      if (shard.file !== `${client}.npz`) complain(['shards', client, 'file'], `expected ${client}.npz`);
    }
    if (manifest.test.file !== 'test.npz') complain(['test', 'file'], 'expected test.npz');
    for (const [path, { labelHistogram, examples }] of [
      ...manifest.shards.map((shard, client) => [['shards', client], shard] as const),
      [['test'], manifest.test] as const,
    ]) {
      const counted = labelHistogram.reduce((sum, each) => sum + each, 0);
      if (labelHistogram.length !== manifest.classes || counted !== examples) {
        complain([...path, 'labelHistogram'], `expected ${manifest.classes} counts that sum to ${examples}`);
      }
    }
  });

/** What a split made: the shards with their facts, and the settings that make them again. */
export type Manifest = z.infer<typeof manifestSchema>;

/** One shard's facts (or the test set's): file, examples, label histogram, bytes, sha256. */
export type ManifestShard = z.infer<typeof shardSchema>;

/** Reads a manifest. @throws {DataError} when it is missing, no JSON, or not what a splitter of this version writes. */
export async function readManifest(path: string): Promise<Manifest> {
  const text = new TextDecoder().decode(await readFileBytes(path, 'the manifest of a split'));
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DataError(
      { file: path, expected: 'a manifest in JSON', found: 'text that is not JSON' },
      { cause },
    );
  }
  const parsed = manifestSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') || 'its top level';
  throw new DataError(
    {
      file: path,
      expected: 'the manifest of a split (schema version 1)',
      found: `a fault at ${where}: ${issue?.message}`,
    },
    { cause: parsed.error },
  );
}

/** Writes a manifest atomically, for people to read too. @throws {StorageError} when the disk refuses. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const text = JSON.stringify(manifest, null, 2);
  // Histograms and shapes on one line each.
  const compact = text.replace(/\[\n[\d,\s]+\]/g, (list) => list.replace(/\s+/g, '').replaceAll(',', ', '));
  await writeFileAtomic(path, `${compact}\n`);
}

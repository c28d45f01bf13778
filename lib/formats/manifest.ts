/** `manifest.json`: what a split made, of what, and how; written last, so that it vouches for all that it lists. */
import { z } from 'zod';
import type { PartitionSettings } from '../federation/partition/settings.js';
import { parseScale } from '../federation/pixel-scale.js';
import { PARTITION, SCHEME } from '../settings/parts/partition.js';
import { schemaOfVariants } from '../settings/schema.js';
import { countField as count, hashField } from './fields.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { checksumField, compactJson, parseDocument, withChecksum } from './files/json-document.js';
import { readTextFile } from './files/read-file.js';
import { inputFactsFields, targetNameField } from './keras/data-names.js';
import {
  type ClientExamples,
  clientShardSchema,
  labelFault,
  shardSchema,
  virtualSchema,
} from './manifest-clients.js';
import { clientTestName } from './volume.js';

/** The partition, with the seed that it was drawn with. */
export const seededPartitionSchema = schemaOfVariants(PARTITION.settings, SCHEME, {
  seed: z.int().nonnegative(),
}) as unknown as z.ZodType<PartitionSettings & { readonly seed: number }>;

const featureField = z.array(z.number());

/** What the clients' sums come to. */
const statisticsSchema = z
  .object({
    values: count.min(1).describe('Of each feature.'),
    mean: featureField,
    variance: z.array(z.number().nonnegative()).describe('Their mean squared distance from the mean.'),
    least: featureField.describe('What as many clients have, or go below, as `minClientsPerStatistic` says.'),
    most: featureField,
    histograms: z
      .array(
        z
          .object({ edges: featureField.describe('One more than counts.'), counts: z.array(count) })
          .nullable()
          .describe('Null where too few clients have values.'),
      )
      .optional()
      .describe('Where they were asked for: values from each edge to the next.'),
  })
  .refine(
    ({ mean, ...lists }) =>
      [lists.variance, lists.least, lists.most, lists.histograms ?? mean].every(
        ({ length }) => length === mean.length,
      ),
    'expected as many numbers in each list',
  )
  .describe(
    'Of the training examples, merged of what each client tells of its own, for each place of the last axis: what a new ' +
      "model's Normalization begins with.",
  );

/** The manifest of a split. */
export const manifestSchema = z
  .object({
    schemaVersion: z.literal(1),
    dataset: z.object({
      file: z.string().describe('Name without directories, for people.'),
      sha256: hashField,
      testFraction: z
        .number()
        .gt(0)
        .lt(1)
        .nullable()
        .describe(
          'Share of the examples held out for testing; null where the dataset brings its own test examples.',
        ),
    }),
    task: hashField
      .optional()
      .describe(
        'sha256 of the task that has prepared the examples, where one has: they are as its model takes them.',
      ),
    partition: seededPartitionSchema.describe(
      'How the examples were dealt: the scheme, its parameters, and the seed.',
    ),
    clientHoldout: z
      .number()
      .gt(0)
      .lt(1)
      .optional()
      .describe("Share of each client's examples that it holds out, where clients do."),
    normalize: z
      .enum(['on', 'off'])
      .optional()
      .describe('Whether statistics were asked for; without it, those of a table are told.'),
    minClientsPerStatistic: count
      .min(2)
      .optional()
      .describe('Clients that have to stand behind each statistic, where more than one.'),
    histogramBins: count.min(2).optional().describe('Of the histograms that were asked for.'),
    classes: count
      .min(1)
      .optional()
      .describe('Number of classes over all shards and the test set, where targets are labels.'),
    classNames: z
      .array(z.string())
      .optional()
      .describe('Name of each class, from class 0, where the data have names.'),
    target: targetNameField,
    targets: z
      .object({
        kind: z
          .enum(['numbers', 'multi-hot'])
          .describe('Numbers, or 1 for what holds and 0 for what does not.'),
        size: count.min(1).describe('How many for each example.'),
        statistics: statisticsSchema
          .optional()
          .describe("Of numbers: what a new model's answers are brought to."),
      })
      .optional()
      .describe('What the targets are, where they are no labels.'),
    outputs: z
      .array(
        z.object({
          name: z.string(),
          kind: z.enum(['labels', 'numbers', 'multi-hot']),
          shape: z.array(count.min(1)).describe('Of the targets of one example; `[]` for one label each.'),
        }),
      )
      .min(1)
      .optional()
      .describe('The targets of each output in place of both, where there are several, or several steps.'),
    image: z
      .object({
        shape: z.array(count.min(1)).min(2).max(3),
        dtype: z.enum(['uint8', 'float32', 'float64']),
        scale: z
          .string()
          .refine(isScale, 'expected numbers for black and white such as -1..1')
          .optional()
          .describe(
            'Which of these numbers are black and white, e.g. `-1..1`; nothing where they are the usual ones, or unknown.',
          ),
        scaleIsGiven: z.literal(true).optional().describe('Where the scale was not found but given.'),
      })
      .optional()
      .describe(
        'Shape of one image in the file: `[h, w]` or `[h, w, c]`; absent where inputs are no images.',
      ),
    inputs: z
      .array(
        z.object({
          name: z.string(),
          shape: z.array(count.min(1)).describe('Of one example.'),
          dtype: z.enum(['uint8', 'int32', 'float32', 'float64']),
          below: count
            .min(1)
            .optional()
            .describe(
              'Of sequences of whole numbers from 0: what all of them are below, those for the test too.',
            ),
          ...inputFactsFields,
          statistics: statisticsSchema.optional(),
          counts: z
            .array(count.nullable())
            .optional()
            .describe(
              'Of categories: how often each number occurs in training, from 0. Null for what too few clients have, and for the ' +
                'least of the others: what is withheld alone would follow from the rest.',
            ),
        }),
      )
      .optional()
      .describe('The inputs, where they are not images alone.'),
    onlyClient: count
      .optional()
      .describe('Of an excerpt for one client: whose. Its shard is the only one that is listed.'),
    shards: z
      .array(clientShardSchema)
      .describe("Element k is client k's shard, `k.npz`; none where the shards are virtual."),
    virtual: virtualSchema.optional(),
    test: shardSchema,
    checksum: checksumField,
  })
  .superRefine((manifest, context) => {
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [place, shard] of manifest.shards.entries()) {
      const client = manifest.onlyClient ?? place;
      if (shard.file !== `${client}.npz`) complain(['shards', place, 'file'], `expected ${client}.npz`);
      const { file: held } = shard.heldOut ?? {};
      const expected = clientTestName(client);
      if (held !== undefined && held !== expected)
        complain(['shards', place, 'heldOut', 'file'], `expected ${expected}`);
    }
    if (manifest.shards.length > 0 === (manifest.virtual !== undefined)) {
      complain(['shards'], 'expected one shard for each client, as files or virtual');
    }
    if (manifest.onlyClient !== undefined && manifest.shards.length !== 1)
      complain(['shards'], 'expected that of the one client');
    if (manifest.test.file !== 'test.npz') complain(['test', 'file'], 'expected test.npz');
    const given = [manifest.classes, manifest.targets, manifest.outputs].filter((each) => each !== undefined);
    if (given.length !== 1) complain(['targets'], 'expected either classes, targets or outputs');
    const clients = [
      ...manifest.shards.map((shard, client) => [['shards', client], shard] as const),
      ...(manifest.virtual?.clients ?? []).map(
        (each, client) => [['virtual', 'clients', client], each] as const,
      ),
    ];
    for (const [path, client] of [
      ...clients,
      ...clients.flatMap(([path, { heldOut }]) =>
        heldOut === undefined ? [] : [[[...path, 'heldOut'], heldOut] as const],
      ),
      [['test'], manifest.test] as const,
    ]) {
      const fault = labelFault(client, manifest.classes);
      if (fault !== undefined) complain([...path, ...fault.path], fault.message);
    }
  })
  .meta({ title: 'Manifest', description: 'data/manifest.json: what a split made, of what, and how.' });

/** What a split made: the shards with their facts, and the settings that make them again. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Element k is what client k has, whether its shard is a file or virtual. */
export function clientsOf({ shards, virtual }: Manifest): readonly ClientExamples[] {
  return virtual?.clients ?? shards;
}

/** What one client is told of the split: all but the others' shards. */
export function excerptFor(manifest: Manifest, client: number): Manifest {
  const shard = manifest.shards[client];
  return { ...manifest, onlyClient: client, shards: shard === undefined ? [] : [shard] };
}

/** All files that a manifest vouches for. */
export function filesOf({ shards, virtual, test }: Manifest): readonly { file: string; sha256: string }[] {
  const held = shards.flatMap(({ heldOut }) => (heldOut === undefined ? [] : [heldOut]));
  return [...shards, ...held, ...(virtual === undefined ? [] : [virtual.train, virtual.partition]), test];
}

function isScale(text: string): boolean {
  return parseScale(text) !== undefined;
}

/** Reads a manifest. @throws {DataError} when it is missing, no JSON, or not what a splitter of this version writes. */
export async function readManifest(path: string): Promise<Manifest> {
  const text = await readTextFile(path, 'the manifest of a split');
  const expected = 'the manifest of a split (schema version 1)';
  return parseDocument(text, { schema: manifestSchema, file: path, expected });
}

/** Writes a manifest atomically, for people to read too. @throws {StorageError} when the disk refuses. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await writeFileAtomic(path, `${compactJson(withChecksum(manifest))}\n`);
}

/** `manifest.json`: what a split made, of what, and how; written last, so that it vouches for all that it lists. */
import { z } from 'zod';
import { own } from '../core/own.js';
import { labelHistogram, type TargetKinds } from '../federation/examples.js';
import type { PartitionSettings } from '../federation/partition/settings.js';
import { formatScale, inputScale, isNear, parseScale, UNIT_SCALE } from '../federation/pixel-scale.js';
import { PARTITION, SCHEME } from '../settings/parts/partition.js';
import { schemaOfVariants } from '../settings/schema.js';
import { MOST_DENSE_CLASSES } from './confusions.js';
import { PARTITION_NAME, TRAIN_NAME } from './data/virtual-shards.js';
import { countField as count, hashField } from './fields.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { compactJson, parseDocument } from './files/json-document.js';
import { readFileBytes } from './files/read-file.js';
import { type DataNames, inputFactsFields, targetNameField } from './keras/data-names.js';
import { clientTestName } from './volume.js';

/** The partition, with the seed that it was drawn with. */
export const seededPartitionSchema = schemaOfVariants(PARTITION.settings, SCHEME, {
  seed: z.int().nonnegative(),
}) as unknown as z.ZodType<PartitionSettings & { readonly seed: number }>;

const fileFacts = { sizeBytes: count, sha256: hashField };

const labelFields = {
  labelHistogram: z
    .array(count)
    .optional()
    .describe('Examples per class, from class 0; with many classes `labelCounts` replaces it.'),
  labelCounts: z
    .array(z.tuple([count, count.min(1)]))
    .optional()
    .describe('The labels that occur, ascending, each with its number of examples.'),
};

const heldOutSchema = z.object({ examples: count.min(1), ...labelFields });

const HELD_OUT = 'What the client holds out, where it does: beside its examples, not among them.';

const examplesSchema = z.object({
  examples: count.min(1),
  owner: z
    .string()
    .optional()
    .describe(
      'Whose examples they are, where the data say so: a value of the key, or the name of the shard that was given.',
    ),
  ...labelFields,
});

const shardSchema = examplesSchema.extend({
  file: z
    .string()
    .regex(/^(\d+|test)\.npz$/, 'expected the name of a shard, like 0.npz')
    .describe('Name within the directory of the manifest.'),
  ...fileFacts,
});

const clientShardSchema = shardSchema.extend({
  heldOut: heldOutSchema
    .extend({
      file: z
        .string()
        .regex(/^\d+-test\.npz$/, 'expected the name of a held-out part, like 0-test.npz')
        .describe('Beside the shard.'),
      ...fileFacts,
    })
    .optional()
    .describe(HELD_OUT),
});

/** Shards that are lists of examples, for simulations: thousands of clients share one file. */
const virtualSchema = z.object({
  train: z.object({ file: z.literal(TRAIN_NAME), ...fileFacts }).describe('All training examples.'),
  partition: z
    .object({ file: z.literal(PARTITION_NAME), ...fileFacts })
    .describe('Which of them each client has.'),
  clients: z
    .array(examplesSchema.extend({ heldOut: heldOutSchema.optional().describe(HELD_OUT) }))
    .min(1)
    .describe("Element k is client k's."),
});

const featureField = z.array(z.number());

/** What the clients' sums come to. */
const statisticsSchema = z
  .object({
    values: count.min(1).describe('Of each feature.'),
    mean: featureField,
    variance: z.array(z.number().nonnegative()).describe('Their mean squared distance from the mean.'),
    least: featureField.describe('What as many clients have, or go below, as `minClientsPerStatistic` says.'),
    most: featureField,
  })
  .refine(
    ({ mean, ...lists }) =>
      [lists.variance, lists.least, lists.most].every(({ length }) => length === mean.length),
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
            .array(count)
            .optional()
            .describe('Of categories: how often each number occurs in training, from 0.'),
        }),
      )
      .optional()
      .describe('The inputs, where they are not images alone.'),
    shards: z
      .array(clientShardSchema)
      .describe("Element k is client k's shard, `k.npz`; none where the shards are virtual."),
    virtual: virtualSchema.optional(),
    test: shardSchema,
  })
  .superRefine((manifest, context) => {
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [client, shard] of manifest.shards.entries()) {
      if (shard.file !== `${client}.npz`) complain(['shards', client, 'file'], `expected ${client}.npz`);
      const { file: held } = shard.heldOut ?? {};
      const expected = clientTestName(client);
      if (held !== undefined && held !== expected)
        complain(['shards', client, 'heldOut', 'file'], `expected ${expected}`);
    }
    if (manifest.shards.length > 0 === (manifest.virtual !== undefined)) {
      complain(['shards'], 'expected one shard for each client, as files or virtual');
    }
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
      const { labelHistogram, labelCounts, examples } = client;
      const { classes } = manifest;
      if (classes === undefined) {
        if (labelHistogram ?? labelCounts) complain([...path], 'expected no labels without classes');
        continue;
      }
      const counted = labelCountsOf(client).reduce((sum, [, each]) => sum + each, 0);
      const isOfThese =
        labelCounts === undefined
          ? labelHistogram?.length === classes
          : labelHistogram === undefined && ascend(labelCounts, classes);
      if (!isOfThese || counted !== examples) {
        const name = labelCounts === undefined ? 'labelHistogram' : 'labelCounts';
        complain([...path, name], `expected ${classes} counts that sum to ${examples}`);
      }
    }
  })
  .meta({ title: 'Manifest', description: 'data/manifest.json: what a split made, of what, and how.' });

/** Whether labels ascend, below `classes`. */
function ascend(counts: readonly LabelCount[], classes: number): boolean {
  return counts.every(([label], at) => label < classes && label > (counts[at - 1]?.[0] ?? -1));
}

/** A label, and the number of its examples. */
type LabelCount = readonly [label: number, count: number];

/** The labels that a client has, ascending, whichever form the manifest has. */
export function labelCountsOf({
  labelHistogram = [],
  labelCounts,
}: Pick<ClientExamples, 'labelHistogram' | 'labelCounts'>): readonly LabelCount[] {
  return (
    labelCounts ?? labelHistogram.flatMap((each, label): LabelCount[] => (each > 0 ? [[label, each]] : []))
  );
}

/** How a manifest tells of a client's labels: of many clients and many classes, a number for each would be too many. */
export function describeLabels(
  labels: Int32Array,
  classes: number,
): Pick<ClientExamples, 'labelHistogram' | 'labelCounts'> {
  if (classes <= MOST_DENSE_CLASSES) return { labelHistogram: labelHistogram(labels, classes) };
  const counts = new Map<number, number>();
  for (const label of labels.toSorted()) counts.set(label, (counts.get(label) ?? 0) + 1);
  return { labelCounts: [...counts] };
}

/** What a split made: the shards with their facts, and the settings that make them again. */
export type Manifest = z.infer<typeof manifestSchema>;

/** One shard's facts (or the test set's): file, examples, label histogram, bytes, sha256. */
export type ManifestShard = z.infer<typeof shardSchema>;

/** What a client has: number of examples, label histogram. */
export type ClientExamples = z.infer<typeof virtualSchema>['clients'][number];

/** Element k is what client k has, whether its shard is a file or virtual. */
export function clientsOf({ shards, virtual }: Manifest): readonly ClientExamples[] {
  return virtual?.clients ?? shards;
}

/** All files that a manifest vouches for. */
export function filesOf({ shards, virtual, test }: Manifest): readonly { file: string; sha256: string }[] {
  const held = shards.flatMap(({ heldOut }) => (heldOut === undefined ? [] : [heldOut]));
  return [...shards, ...held, ...(virtual === undefined ? [] : [virtual.train, virtual.partition]), test];
}

/** What the targets of a split are. */
export function targetsListed({ targets, outputs = [] }: Pick<Manifest, 'targets' | 'outputs'>): TargetKinds {
  const [only, ...others] = outputs;
  if (only === undefined) return targets?.kind ?? 'labels';
  if (others.length === 0) return only.kind;
  return Object.fromEntries(outputs.map(({ name, kind }) => [name, kind]));
}

/** Whether the targets of a split are what is wanted of them, or of some by their names. */
export function hasTargets(
  manifest: Pick<Manifest, 'targets' | 'outputs'>,
  wanted: TargetKinds | undefined,
): boolean {
  const listed = targetsListed(manifest);
  if (typeof wanted !== 'object') return wanted === undefined || wanted === listed;
  // One alone has no name.
  return (
    typeof listed !== 'object' ||
    Object.entries(listed).every(([name, kind]) => (own(wanted, name) ?? kind) === kind)
  );
}

/** The scale of the inputs of a model that is trained on such images, as its file says it; undefined where 0 to 1. */
export function modelScaleOf({ image }: Pick<Manifest, 'image'>): string | undefined {
  const stored = image?.scale === undefined ? undefined : parseScale(image.scale);
  if (image === undefined || stored === undefined) return undefined;
  const input = inputScale(stored, image.dtype === 'uint8');
  return isNear(UNIT_SCALE, input, 0) ? undefined : formatScale(input);
}

/** What is asked of a split's statistics. */
export interface StatisticsWanted {
  /** Without it, those of tables are told. */
  readonly normalize?: 'on' | 'off' | undefined;
  readonly minClientsPerStatistic?: number | undefined;
}

/** Whether a split tells these statistics. One of an earlier version tells none, and is left as it is. */
export function tellsStatistics(
  { normalize, minClientsPerStatistic, inputs = [], targets }: Manifest,
  wanted: StatisticsWanted,
): boolean {
  if ((minClientsPerStatistic ?? 1) !== (wanted.minClientsPerStatistic ?? 1)) return false;
  if (wanted.normalize === 'off')
    return [...inputs.map((each) => each.statistics ?? each.counts), targets?.statistics].every(
      (each) => each === undefined,
    );
  return normalize === wanted.normalize;
}

/** What the file of a model calls the numbers of such data; undefined where they have no names. */
export function dataNamesOf({ classNames, target, inputs = [] }: Manifest): DataNames | undefined {
  const told = inputs.map(({ name, columns, categories, units, missing }) => ({
    name,
    columns,
    categories,
    units,
    missing,
  }));
  const hasInputs = told.some(({ columns, categories }) => columns ?? categories);
  if (classNames === undefined && !hasInputs) return undefined;
  return {
    ...(classNames && { classNames }),
    ...(target && { target }),
    ...(hasInputs ? { inputs: told } : {}),
  };
}

function isScale(text: string): boolean {
  return parseScale(text) !== undefined;
}

/** Reads a manifest. @throws {DataError} when it is missing, no JSON, or not what a splitter of this version writes. */
export async function readManifest(path: string): Promise<Manifest> {
  const text = new TextDecoder().decode(await readFileBytes(path, 'the manifest of a split'));
  const expected = 'the manifest of a split (schema version 1)';
  return parseDocument(text, { schema: manifestSchema, file: path, expected });
}

/** Writes a manifest atomically, for people to read too. @throws {StorageError} when the disk refuses. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await writeFileAtomic(path, `${compactJson(manifest)}\n`);
}

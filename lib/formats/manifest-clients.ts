/** What a manifest says of the examples of each client: how many, of which labels, and the file or the list that has them. */
import { z } from 'zod';
import { labelHistogram } from '../federation/examples.js';
import { MOST_DENSE_CLASSES } from './confusions.js';
import { PARTITION_NAME, TRAIN_NAME } from './data/virtual-shards.js';
import { countField as count, hashField } from './fields.js';

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

/** A shard, or the test set: file, examples, labels, bytes, sha256. */
export const shardSchema = examplesSchema.extend({
  file: z
    .string()
    .regex(/^(\d+|test)\.npz$/, 'expected the name of a shard, like 0.npz')
    .describe('Name within the directory of the manifest.'),
  ...fileFacts,
});

/** A client's shard, with what the client holds out. */
export const clientShardSchema = shardSchema.extend({
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
export const virtualSchema = z.object({
  train: z.object({ file: z.literal(TRAIN_NAME), ...fileFacts }).describe('All training examples.'),
  partition: z
    .object({ file: z.literal(PARTITION_NAME), ...fileFacts })
    .describe('Which of them each client has.'),
  clients: z
    .array(examplesSchema.extend({ heldOut: heldOutSchema.optional().describe(HELD_OUT) }))
    .min(1)
    .describe("Element k is client k's."),
});

/** One shard's facts (or the test set's): file, examples, label histogram, bytes, sha256. */
export type ManifestShard = z.infer<typeof shardSchema>;

/** What a client has: number of examples, label histogram. */
export type ClientExamples = z.infer<typeof virtualSchema>['clients'][number];

/** What is wrong with the labels that are told of examples, and where; undefined where they are of these classes and add up. */
export function labelFault(
  client: Pick<ClientExamples, 'examples' | 'labelHistogram' | 'labelCounts'>,
  classes: number | undefined,
): { readonly path: readonly string[]; readonly message: string } | undefined {
  const { labelHistogram, labelCounts, examples } = client;
  if (classes === undefined)
    return (labelHistogram ?? labelCounts)
      ? { path: [], message: 'expected no labels without classes' }
      : undefined;
  const counted = labelCountsOf(client).reduce((sum, [, each]) => sum + each, 0);
  const isOfThese =
    labelCounts === undefined
      ? labelHistogram?.length === classes
      : labelHistogram === undefined && ascend(labelCounts, classes);
  if (isOfThese && counted === examples) return undefined;
  const name = labelCounts === undefined ? 'labelHistogram' : 'labelCounts';
  return { path: [name], message: `expected ${classes} counts that sum to ${examples}` };
}

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

/** What `fedbatch stats` tells: of each feature and category what all clients say together and, where that may be told, each alone. */
import { z } from 'zod';
import { countField } from './fields.js';

const known = z.number().nullable().describe('Null where too few clients stand behind it.');

const momentsFields = {
  values: countField
    .nullable()
    .describe('Values that are there. Null where too few clients have any, or lack any.'),
  missing: countField.nullable().describe('Values that are not there: NaN. Null where `values` is.'),
  mean: known,
  deviation: known.describe('Root of the mean squared distance from the mean.'),
  least: known.describe('What as many clients have, or go below, as `minClientsPerStatistic` says.'),
  most: known.describe('What as many have, or go above.'),
};

const histogramSchema = z.object({
  edges: z.array(z.number()).readonly().describe('One more than counts.'),
  counts: z
    .array(countField)
    .readonly()
    .describe('Values from each edge to the next; what lies beyond the outermost counts there.'),
  merged: countField.describe(
    'Bins that became one with a neighbour, since too few clients have values in them.',
  ),
});

/** The shares of values below which the quantiles lie. */
export const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

const numbersSchema = z.object({
  kind: z.literal('numbers'),
  input: z.string().describe('Of which input, or target, it is.'),
  name: z
    .string()
    .describe('Its column; without one the name of the input, with its place on the last axis.'),
  clients: countField.nullable().describe('Clients that have a value. Null where they are too few.'),
  ...momentsFields,
  quantiles: z
    .array(z.number())
    .readonly()
    .nullable()
    .describe(`Below them lie ${QUANTILES.join(', ')} of the values, to within a bin of the histogram.`),
  histogram: histogramSchema.nullable().describe('Null where `values` is, too: its counts come to as many.'),
  byClient: z
    .array(z.object({ client: countField, ...momentsFields }))
    .readonly()
    .optional()
    .describe('Absent where one client alone may not be told of.'),
});

const categoriesSchema = z.object({
  kind: z.literal('categories'),
  input: z.string().describe('Of which input, or target, they are.'),
  name: z.string(),
  missing: countField
    .nullable()
    .describe('Values that are none of the categories. Null where they are withheld.'),
  categories: z
    .array(z.object({ name: z.string(), values: countField, clients: countField }))
    .readonly()
    .describe('Those that occur, in the order of their numbers.'),
  withheld: countField.describe(
    'Values of what too few clients have, and of the least of the others: what is withheld alone would follow from the rest.',
  ),
});

/** `stats`. */
export const statisticsResultSchema = z
  .object({
    source: z.string(),
    clients: z
      .array(z.object({ owner: z.string().optional(), examples: countField.min(1) }))
      .readonly()
      .describe('In the order of their numbers.'),
    minClientsPerStatistic: countField.min(1).describe('Clients that have to stand behind each statistic.'),
    columns: z
      .array(z.discriminatedUnion('kind', [numbersSchema, categoriesSchema]))
      .readonly()
      .describe('Inputs, then targets.'),
  })
  .meta({
    title: 'Result of stats',
    description: "Statistics of the clients' examples, merged of what each client tells of its own.",
  });

/** What is told. */
export type StatisticsResult = Readonly<z.infer<typeof statisticsResultSchema>>;
/** One feature's statistics. */
export type NumbersResult = Readonly<z.infer<typeof numbersSchema>>;
/** Those of the categories of an input, or of classes. */
export type CategoriesResult = Readonly<z.infer<typeof categoriesSchema>>;

/** What was understood of data before anything is made of them, as `dataset import --json` tells it. */
import { z } from 'zod';
import { countField } from '../fields.js';
import { descriptionSchema } from './description.js';

const columnSchema = z.object({
  name: z.string(),
  type: z
    .enum(['number', 'text', 'time', 'mixed', 'empty'])
    .describe('`mixed`: numbers and texts, which a description has to tell apart.'),
  missing: countField.describe('Rows without a value.'),
  least: z.number().optional().describe('Of numbers.'),
  most: z.number().optional(),
  mean: z.number().optional(),
  texts: countField.optional().describe('How many different texts there are, where they can be counted.'),
});

/** The facts, and the description that follows from them. */
const understandingSchema = z.object({
  examples: countField.describe('Rows, or pictures.'),
  columns: z.array(columnSchema).readonly().optional().describe('Of a table.'),
  description: descriptionSchema
    .optional()
    .describe('How they are taken, unless it is changed; absent where nothing can be changed.'),
  problems: z.array(z.string()).readonly().describe('What has to be settled before they can be read.'),
  notes: z.array(z.string()).readonly().describe('What is left out or taken in a way that is not plain.'),
});

/** `dataset import`. */
export const importResultSchema = understandingSchema
  .extend({
    title: z.string().describe('What the data are.'),
    files: z.array(z.string()).readonly(),
    inputs: z.string().optional().describe('What a model is given, where nothing stands in the way of it.'),
    classes: z
      .array(z.string())
      .readonly()
      .optional()
      .describe('Names of the classes, where there are names.'),
    npz: z.string().optional().describe('The dataset that was written.'),
    labels: z.string().optional().describe('The names of the classes that were written, one a line.'),
    yaml: z.string().optional().describe('The description that was written.'),
  })
  .meta({
    title: 'Result of dataset import',
    description: 'What was understood of data, and what was written.',
  });

/** What was understood of a column. */
export type ColumnFacts = Readonly<z.infer<typeof columnSchema>>;
/** What was understood of data. */
export type Understanding = Readonly<z.infer<typeof understandingSchema>>;
/** What an import tells. */
export type ImportResult = Readonly<z.infer<typeof importResultSchema>>;

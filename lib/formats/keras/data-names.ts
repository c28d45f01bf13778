/** What the data of a model call its numbers, as its file carries it: names of classes, columns, categories and features. */
import { z } from 'zod';

/** What the data call the numbers of an input. */
export const inputFactsFields = {
  columns: z
    .array(z.string())
    .readonly()
    .optional()
    .describe('Of a table: the columns that its numbers come from.'),
  categories: z
    .array(z.string())
    .readonly()
    .optional()
    .describe('What the numbers 1, 2, … stand for; 0 is what is none of them.'),
  units: z
    .record(z.string(), z.string())
    .readonly()
    .optional()
    .describe('By column: what its numbers are counted in.'),
  missing: z
    .record(z.string(), z.union([z.number(), z.literal('unknown')]))
    .readonly()
    .optional()
    .describe('By column: what stands for a value that is missing; `unknown` is the category 0.'),
};

/** What the data call the targets. */
export const targetNameField = z
  .object({
    column: z.string(),
    unit: z.string().optional().describe('What its numbers are counted in.'),
  })
  .optional()
  .describe('The column that the targets come from, of a table.');

/** The names in a model's file. */
export const dataNamesSchema = z.object({
  classNames: z.array(z.string()).readonly().optional().describe('Name of each class, from class 0.'),
  target: targetNameField,
  inputs: z
    .array(z.object({ name: z.string().describe("As in the data's manifest."), ...inputFactsFields }))
    .readonly()
    .optional()
    .describe("By the names of the model's inputs; of one alone the name means nothing."),
});

/** What a model's file calls its numbers. */
export type DataNames = Readonly<z.infer<typeof dataNamesSchema>>;

/** An input, as a manifest or a model's file tells of it. */
interface NamedFeatures {
  readonly name: string;
  readonly columns?: readonly string[] | undefined;
}

/** The names of `count` features: columns by their own names, others by the input's, with a number where there are several. */
export function featureNames({ name, columns }: NamedFeatures, count: number): readonly string[] {
  if (columns?.length === count) return columns;
  return count === 1 ? [name] : Array.from({ length: count }, (_, at) => `${name}[${at}]`);
}

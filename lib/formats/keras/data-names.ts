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
};

/** The names in a model's file. */
export const dataNamesSchema = z.object({
  classNames: z.array(z.string()).readonly().optional().describe('Name of each class, from class 0.'),
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

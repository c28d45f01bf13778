/** What a server knows of the inputs and answers of its model, as people need it: names, units, categories; and as its clients read it. */
import { z } from 'zod';
import { sizeOf } from '../../lib/core/weights.js';
import type { TaskName } from '../../lib/federation/metrics.js';

const shape = z.array(z.int().nonnegative()).readonly();
const texts = z.array(z.string()).readonly();
const numbers = z.array(z.number()).readonly();

const columnSchema = z
  .object({
    name: z.string(),
    /** What its numbers are counted in. */
    unit: z.string().optional(),
    /** What stands for a value that is missing. */
    missing: z.number().optional(),
    /** Between which numbers the examples of the training lay. */
    least: z.number().optional(),
    most: z.number().optional(),
  })
  .readonly();

/** An input of a model. */
export const inputSchema = z
  .object({
    name: z.string(),
    /** Of one example. */
    shape,
    /** Whether its numbers are whole ones. */
    isInteger: z.boolean().optional(),
    /** Whole numbers from 0 that are all below, since they are looked up in an embedding. */
    below: z.number().optional(),
    /** Whether it is a picture, `[h, w, 1]` or `[h, w, 3]`. */
    isPicture: z.boolean().optional(),
    /** Which numbers are black and white in a picture; else 0 and 1. */
    scale: z.object({ black: numbers, white: numbers }).optional(),
    /** The columns that its numbers come from, of a table. */
    columns: z.array(columnSchema).readonly().optional(),
    /** What the whole numbers 1, 2, … stand for. */
    categories: texts.optional(),
    /** Whether 0, what is none of the categories, was in the training. */
    takesUnknown: z.boolean().optional(),
  })
  .readonly();

/** An output of a model. */
export const outputSchema = z
  .object({
    name: z.string(),
    /** Of the answer to one example. */
    shape,
    /** What its numbers mean. */
    task: z.enum(['classification', 'binary', 'multi-label', 'regression'] satisfies readonly TaskName[]),
    /** Whether they are logits, and no probabilities. */
    isLogits: z.boolean().optional(),
  })
  .readonly();

/** What a model answers, as its data call it. */
export const targetSchema = z.object({ column: z.string(), unit: z.string().optional() }).readonly();

/** What stands in a model's metadata for clients that answer in words. */
export const answerFactsSchema = z
  .object({
    /** Absent from servers of earlier versions. */
    inputs: z.array(inputSchema).readonly().optional(),
    outputs: z.array(outputSchema).readonly(),
    /** Name of each class, of what holds, or of each number. */
    labels: texts.optional(),
    target: targetSchema.optional(),
  })
  .readonly();

/** A column of a table, as an input of a model has it. */
export type ServedColumn = z.infer<typeof columnSchema>;
/** An input of a model. */
export type ServedInput = z.infer<typeof inputSchema>;
/** An output of a model. */
export type ServedOutput = z.infer<typeof outputSchema>;
/** What a model answers, as its data call it. */
export type ServedTarget = z.infer<typeof targetSchema>;
/** What the numbers of a model mean. */
export type AnswerFacts = z.infer<typeof answerFactsSchema>;

/** What the numbers of an example are called, one by one; one number alone is called as its input, and others nothing. */
export function columnNames({
  name,
  shape,
  columns,
}: Pick<ServedInput, 'name' | 'shape' | 'columns'>): readonly string[] {
  return columns?.map((each) => each.name) ?? (sizeOf(shape) === 1 ? [name] : []);
}

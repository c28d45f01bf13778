/** What `export` says of a model, in the files that it writes and at its end: schemas and types. */
import { z } from 'zod';
import { countField, hashField, lossField, metricsField, privacySpentSchema, shareField } from './fields.js';
import { inputFactsFields } from './keras/data-names.js';

const shape = z.array(countField).readonly().describe('Of one example.');

/** What goes along with a model in every format. */
export const exportedFactsSchema = z.object({
  producer: z.string().describe('The program that wrote the file, with its version.'),
  model: z.string().describe("Name of the model's file."),
  sha256: hashField.describe("Of the model's file, as the records of its run have it."),
  parameters: countField.describe('Its parameters.'),
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape,
        type: z.enum(['float32', 'int32']),
        below: countField.optional().describe('Of whole numbers from 0: what all of them are below.'),
        ...inputFactsFields,
      }),
    )
    .readonly(),
  outputs: z
    .array(
      z.object({
        name: z.string(),
        shape,
        task: z.string().describe('What is learned, e.g. `classification`.'),
        loss: z.string().describe('By which loss.'),
      }),
    )
    .readonly()
    .describe('None of a model with layers that only other programs know.'),
  classNames: z.array(z.string()).readonly().optional().describe('Name of each class, from class 0.'),
  pixelScale: z
    .string()
    .optional()
    .describe('Of pictures: which numbers are black and white where the model takes them, e.g. `0..1`.'),
  run: z.string().optional().describe('Id of the run that made the model.'),
  runName: z.string().optional().describe('What people call the run.'),
  round: countField.optional().describe('Round that ended with it; 0 of the initial model.'),
  client: countField.optional().describe("Of a client's own model: its number."),
  clients: countField.optional().describe('Clients of the run.'),
  strategy: z.string().optional().describe('How their updates became one model.'),
  test: z
    .object({
      examples: countField.describe('Held-out examples.'),
      loss: lossField,
      accuracy: shareField.optional(),
      metrics: metricsField.optional(),
    })
    .optional()
    .describe('What the test of this model found.'),
  privacy: privacySpentSchema.optional().describe('Spent by all rounds up to it, where the run was private.'),
});

/** `export`: what was written. */
export const exportResultSchema = z
  .object({
    to: z.string().optional().describe('The format.'),
    output: z.string().optional().describe('The file or folder that was written.'),
    sizeBytes: countField.optional().describe('Of all that it holds.'),
    card: z.string().optional().describe('The model card that was written.'),
    facts: exportedFactsSchema.describe('What the export says of the model.'),
  })
  .meta({
    title: 'Result of export',
    description: 'What was written of a model, and what it says of itself.',
  });

/** What an export says of a model. */
export type ExportedFacts = Readonly<z.infer<typeof exportedFactsSchema>>;
/** What `export` has written. */
export type ExportResult = Readonly<z.infer<typeof exportResultSchema>>;

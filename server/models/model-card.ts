/** What a server tells of its model, `GET /model`: the card of the file that answers, its name, and its versions. */
import { z } from 'zod';
import { countField as count, hashField, lossField } from '../../lib/formats/fields.js';
import { inputSchema, outputSchema, targetSchema } from './served-facts.js';

const numbers = z.array(z.number()).readonly();
const time = z.string().describe('ISO 8601.');

/** The facts of a model file. */
const modelCardSchema = z.object({
  file: z.string().describe('Name of the model file, without its directory.'),
  sha256: hashField.describe('Of the file.'),
  inputShape: z
    .tuple([count, count, count])
    .readonly()
    .optional()
    .describe(
      'Shape of one input, [h, w, c], where the model takes one picture and answers with one row of numbers.',
    ),
  inputs: z.array(inputSchema).readonly().optional().describe('What any other model takes.'),
  outputs: z
    .array(outputSchema)
    .readonly()
    .optional()
    .describe('What a model answers that does not answer with the probabilities of classes alone.'),
  scale: z
    .object({ black: numbers, white: numbers })
    .readonly()
    .optional()
    .describe(
      'Which numbers are black and white in the input, where the file or --scale says so; else 0 and 1.',
    ),
  task: z
    .string()
    .optional()
    .describe(
      'What the model has learned, where that is not to tell classes apart: it puts out other numbers then.',
    ),
  classes: count.describe(
    'Number of classes, or of other numbers that the first output has for each example.',
  ),
  engine: z.string().describe('The engine that runs the model, e.g. `onnx/cpu`.'),
  signature: z
    .object({ input: z.string(), output: z.string() })
    .readonly()
    .describe('What the API calls the first input and output: as Keras names them when it exports a model.'),
  labels: z
    .array(z.string())
    .readonly()
    .optional()
    .describe(
      'Name of each class, where a labels file or the data give them; of other numbers, where a file does.',
    ),
  target: targetSchema.optional().describe('What the model answers, where its data call it something.'),
  accuracy: z
    .object({
      accuracy: z.number(),
      loss: lossField.describe('Mean cross-entropy; null where it was not finite.'),
      examples: count.describe('Test images.'),
      confusions: z
        .array(z.tuple([count, count, count]).readonly())
        .readonly()
        .optional()
        .describe('The mistakes made most often, the worst first: label, answer, how often.'),
    })
    .readonly()
    .optional()
    .describe('What the accuracy test found for exactly this file, where its record lies beside it.'),
  tested: z
    .object({ metric: z.string(), value: z.number(), examples: count })
    .readonly()
    .optional()
    .describe('What the test found of a model that learned something else: the metric that leads its task.'),
  training: z
    .object({
      rounds: count.describe('Rounds of federated averaging.'),
      clients: count.describe('Clients among which the data were dealt.'),
      finishedAt: time,
    })
    .readonly()
    .optional()
    .describe('How it was trained, where the records of that run lie beside it.'),
});

/** `GET /model`. */
export const modelAnswerSchema = modelCardSchema
  .extend({
    name: z.string().describe('What the API calls the model.'),
    version: count,
    versions: z
      .array(z.object({ version: count, sha256: hashField.optional(), loadedAt: time }))
      .describe('Those that are loaded.'),
    refused: z
      .object({ sha256: hashField, reason: z.string(), at: time })
      .optional()
      .describe('A newer file that is not served, and why.'),
  })
  .meta({ title: 'Model', description: 'What a server tells of its model at GET /model.' });

/** The facts of a loaded model. */
export type ModelCard = Readonly<z.infer<typeof modelCardSchema>>;
/** Where a model comes from. */
export type ModelTraining = NonNullable<ModelCard['training']>;
/** Names of a model's input and output. */
export type ModelSignature = ModelCard['signature'];
/** The result of an accuracy test. */
export type ModelAccuracy = NonNullable<ModelCard['accuracy']>;
/** The result of a test by one metric. */
export type ModelTest = NonNullable<ModelCard['tested']>;

/** `accuracy.json`: what an accuracy test found. */
import { z } from 'zod';
import type { AcrossClients } from '../federation/across-clients.js';
import { countField, hashField, leadsField, lossField, metricsField, shareField } from './fields.js';
import { checksumField } from './files/json-document.js';

const confusion = z.tuple([countField, countField, countField]);

const mistakeSchema = z.object({
  example: countField.describe('Its place among the held-out examples, from 0.'),
  loss: lossField.describe('Of this example; null where it is not finite.'),
  label: countField.optional().describe('Of classification: the right class.'),
  predicted: countField.optional().describe('The class that it was taken for.'),
  wanted: z.array(z.number()).optional().describe('Of other tasks: the targets.'),
  answered: z.array(z.number()).optional().describe('What the model answered.'),
});

/** The test of one model on the examples that are held out of all. */
const testSchema = z.object({
  model: z.string().describe("Path of the model's file."),
  sha256: hashField.describe("Of the model's file."),
  data: z.string().describe('Path of the held-out examples.'),
  seconds: z.number().optional().describe('What the test took; absent in records of the first version.'),
  task: z.string().optional().describe('What is learned, where that is not classification.'),
  examples: countField.min(1).describe('Held-out examples.'),
  correct: countField.optional().describe('Examples that were recognised.'),
  loss: lossField.describe('Mean loss, by default the cross-entropy; null where it is not finite.'),
  accuracy: shareField.optional().describe('Share of the examples that were recognised; of classification.'),
  metrics: metricsField.optional(),
  leads: leadsField.optional(),
  perClass: z
    .array(
      z.object({
        class: countField.describe('The label.'),
        examples: countField.describe('Examples of the class.'),
        accuracy: shareField
          .nullable()
          .describe('Share of them that was recognised; null where there is none.'),
      }),
    )
    .readonly()
    .optional()
    .describe('Every class; those that occur, where the confusions are a list.'),
  confusion: z
    .array(z.array(countField).readonly())
    .readonly()
    .optional()
    .describe('Of at most 100 classes: `confusion[label][predicted]`, number of examples.'),
  confusions: z
    .array(confusion.readonly())
    .readonly()
    .optional()
    .describe(
      'Of more classes: `[label, predicted, examples]` of all that occur, by label, then by prediction.',
    ),
  mistakes: z
    .array(mistakeSchema)
    .readonly()
    .optional()
    .describe(
      'What was answered wrong with the largest loss, the worst first, a dozen at most; of numbers the largest errors. Absent ' +
        'where nothing was wrong, and of tasks with several outputs or steps.',
    ),
});

/** What a test found on what one client holds out. */
const clientTestSchema = testSchema
  .omit({ model: true, sha256: true, data: true, seconds: true })
  .omit({ correct: true, perClass: true, confusion: true, confusions: true, mistakes: true })
  .extend({ examples: countField.min(1).describe('Examples that the client holds out.') });

const figuresSchema = clientTestSchema.omit({ examples: true });

/** What a trainer found on what its client holds out. */
export const heldOutTestSchema = z
  .object({
    examples: countField.min(1).describe('Examples that the client holds out.'),
    before: figuresSchema.describe('Of the global model that the round started from.'),
    after: figuresSchema.describe("Of the client's update: the same model after the local training."),
  })
  .describe('How the client does on what it holds out, before and after its local training.');

/** How figures spread over clients. */
export const acrossClientsSchema: z.ZodType<AcrossClients> = z
  .record(
    z.string(),
    z.object({
      clients: countField.describe('Clients that have the figure.'),
      mean: z.number().describe('Each client counts the same.'),
      weightedMean: z.number().describe('Each client counts by its held-out examples.'),
      deviation: z.number().describe('Standard deviation over the clients.'),
      worstDecile: z.number().describe('Mean over the worst tenth of the clients, one at least.'),
    }),
  )
  .describe('How the loss and each metric, by name, spread over the clients on what each of them holds out.');

/** The result of an accuracy test of one model. */
export const accuracyRecordSchema = testSchema
  .extend({
    acrossClients: acrossClientsSchema.optional(),
    perClient: z
      .array(clientTestSchema.extend({ client: countField.describe('Number of the client, from 0.') }))
      .readonly()
      .optional()
      .describe(
        'What was found on what each client holds out, by client; those that hold nothing out are left out.',
      ),
  })
  .meta({
    title: 'Accuracy test',
    description: 'What the test of one model on the held-out examples found.',
  });

/** What a run remembers of a test, and a report or a server tells. */
export const testFiguresSchema = accuracyRecordSchema.pick({
  sha256: true,
  examples: true,
  loss: true,
  accuracy: true,
  task: true,
  metrics: true,
  acrossClients: true,
  leads: true,
});

/** `accuracy.json`: of one model, or of each model that was tested. */
export const accuracyFileSchema = z
  .union([accuracyRecordSchema.extend({ checksum: checksumField }), z.array(accuracyRecordSchema)])
  .meta({ title: 'Accuracy', description: 'accuracy.json: what the last accuracy test found.' });

/** The result of an accuracy test. */
export type AccuracyRecord = z.infer<typeof accuracyRecordSchema>;

/** What a model came to on what one client holds out. */
export type ClientTest = Readonly<z.infer<typeof clientTestSchema>>;

/** The same before and after the client's training. */
export type HeldOutTest = Readonly<z.infer<typeof heldOutTestSchema>>;

/** `accuracy.json`: what an accuracy test found. */
import { z } from 'zod';
import { countField, hashField, lossField, metricsField, shareField } from './fields.js';

const confusion = z.tuple([countField, countField, countField]);

/** The result of an accuracy test of one model. */
export const accuracyRecordSchema = z
  .object({
    model: z.string().describe("Path of the model's file."),
    sha256: hashField.describe("Of the model's file."),
    data: z.string().describe('Path of the held-out examples.'),
    seconds: z.number().optional().describe('What the test took; absent in records of the first version.'),
    task: z.string().optional().describe('What is learned, where that is not classification.'),
    examples: countField.min(1).describe('Held-out examples.'),
    correct: countField.optional().describe('Examples that were recognised.'),
    loss: lossField.describe('Mean loss, by default the cross-entropy; null where it is not finite.'),
    accuracy: shareField
      .optional()
      .describe('Share of the examples that were recognised; of classification.'),
    metrics: metricsField.optional(),
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
});

/** `accuracy.json`: of one model, or of each model that was tested. */
export const accuracyFileSchema = z
  .union([accuracyRecordSchema, z.array(accuracyRecordSchema)])
  .meta({ title: 'Accuracy', description: 'accuracy.json: what the last accuracy test found.' });

/** The result of an accuracy test. */
export type AccuracyRecord = z.infer<typeof accuracyRecordSchema>;

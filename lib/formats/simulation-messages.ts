/** What the pipeline and the simulator say to each other: one JSON object per line, a reply for each request. */
import { z } from 'zod';
import { heldOutTestSchema } from './accuracy-record.js';
import {
  clientReasonField,
  countField as count,
  hashField,
  lossField as loss,
  privacySpentSchema,
} from './fields.js';
import { clipNormField, epochsField, measuresField } from './stage-results.js';

/** A round's training: the clients' updates go into the strategy as they come, in the clients' order. */
const trainRequestSchema = z.strictObject({
  request: z.literal('train'),
  round: count.min(1),
  global: z.string().describe('File of the global model that the round starts from.'),
  sha256: hashField.optional().describe('What that file has to be: another one is refused.'),
  clients: z.array(count).min(1),
  learningRate: z
    .number()
    .optional()
    .describe("The round's; else the one that the simulator was started with."),
  stateIn: z.string().optional().describe("The server optimizer's state that belongs to the global model."),
});

/** Writes the global model that the round's training came to. */
const saveRequestSchema = z.strictObject({
  request: z.literal('save'),
  file: z.string(),
  minUpdates: count.min(1).describe('Fewest valid updates that make a global model.'),
  stateOut: z.string().optional().describe("Where the server optimizer's state goes."),
});

/** Tests a model on the held-out examples and writes the report. */
const evaluateRequestSchema = z.strictObject({
  request: z.literal('evaluate'),
  model: z.string(),
  file: z.string(),
});

/** A request to the simulator. */
export const simulatorRequestSchema = z
  .discriminatedUnion('request', [trainRequestSchema, saveRequestSchema, evaluateRequestSchema])
  .meta({ title: 'Request to the simulator', description: 'A line of its stdin: what it is to do next.' });
export type SimulatorRequest = z.infer<typeof simulatorRequestSchema>;
export type TrainRoundRequest = z.infer<typeof trainRequestSchema>;
export type SaveRequest = z.infer<typeof saveRequestSchema>;
export type EvaluateRequest = z.infer<typeof evaluateRequestSchema>;

/** What became of a round's training. Everything is in the clients' order. */
export const trainReplySchema = z
  .object({
    engine: z.string().describe('What the training ran on, e.g. `onnx/cpu with blocks of 16`.'),
    stepSeconds: z
      .number()
      .describe(
        "Seconds of all training steps, whichever worker did them: the rest of the workers' time is overhead.",
      ),
    reported: z.array(
      z.object({
        client: count,
        examples: count,
        seconds: z.number().describe('Seconds that one worker spent on it.'),
        /** Means over the last epoch; no accuracy where no answer is simply right. */
        loss,
        accuracy: z.number().optional(),
        heldOut: heldOutTestSchema.optional(),
        epochs: epochsField,
      }),
    ),
    rejected: z
      .array(clientReasonField)
      .describe('Of those that reported: whose updates do not count, and why.'),
    missing: z.array(clientReasonField).describe('Whose training failed, and why.'),
  })
  .meta({
    title: 'Reply to train',
    description: "A line of the simulator's stdout: what became of a round's training.",
  });
export type TrainReply = z.infer<typeof trainReplySchema>;

/** The global model that was written. */
export const saveReplySchema = z
  .object({
    updates: count,
    examples: count,
    seconds: z.number().describe('Seconds that aggregating and writing took, all together.'),
    sha256: z.string(),
    state: z.string().optional().describe("sha256 of the server optimizer's state."),
    privacy: privacySpentSchema.optional().describe('Spent after this round.'),
    clipNorm: clipNormField,
    clients: measuresField,
  })
  .meta({
    title: 'Reply to save',
    description: "A line of the simulator's stdout: the global model that was written.",
  });
export type SaveReply = z.infer<typeof saveReplySchema>;

/** Once the report of an accuracy test is written. */
export const evaluateReplySchema = z.object({ sha256: z.string().describe("Of the model's file.") }).meta({
  title: 'Reply to evaluate',
  description: "A line of the simulator's stdout: the report of an accuracy test is written.",
});
export type EvaluateReply = z.infer<typeof evaluateReplySchema>;

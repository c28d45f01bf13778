/** What the pipeline and the simulator say to each other: one JSON object per line, a reply for each request. */
import { z } from 'zod';
import { privacySpentSchema } from './strategy-record.js';

const count = z.int().nonnegative();
/** JSON has no NaN: a loss that overflowed is null. */
const loss = z.number().nullable();
const withReason = z.object({ client: count, reason: z.string() });

/** A round's training: the clients' updates go into the strategy as they come, in the clients' order. */
const trainRequestSchema = z.strictObject({
  request: z.literal('train'),
  round: count.min(1),
  /** File of the global model that the round starts from. */
  global: z.string(),
  clients: z.array(count).min(1),
  /** The round's; else the one that the simulator was started with. */
  learningRate: z.number().optional(),
  /** The server optimizer's state that belongs to the global model. */
  stateIn: z.string().optional(),
});

/** Writes the global model that the round's training came to. */
const saveRequestSchema = z.strictObject({
  request: z.literal('save'),
  file: z.string(),
  /** Fewest good updates that make a global model. */
  minUpdates: count.min(1),
  /** Where the server optimizer's state goes. */
  stateOut: z.string().optional(),
});

/** Tests a model on the held-out examples and writes the report. */
const evaluateRequestSchema = z.strictObject({
  request: z.literal('evaluate'),
  model: z.string(),
  file: z.string(),
});

/** A request to the simulator. */
export const simulatorRequestSchema = z.discriminatedUnion('request', [
  trainRequestSchema,
  saveRequestSchema,
  evaluateRequestSchema,
]);
export type SimulatorRequest = z.infer<typeof simulatorRequestSchema>;
export type TrainRoundRequest = z.infer<typeof trainRequestSchema>;
export type SaveRequest = z.infer<typeof saveRequestSchema>;
export type EvaluateRequest = z.infer<typeof evaluateRequestSchema>;

/** What became of a round's training. Everything is in the clients' order. */
export const trainReplySchema = z.object({
  /** What the training ran on, e.g. `onnx/cpu with blocks of 16`. */
  engine: z.string(),
  /** Seconds of all training steps, whichever worker did them: the rest of the workers' time is overhead. */
  stepSeconds: z.number(),
  /** Seconds until the workers were there, in the round that started them. */
  startSeconds: z.number().optional(),
  reported: z.array(
    z.object({
      client: count,
      examples: count,
      /** Seconds that one worker spent on it. */
      seconds: z.number(),
      /** Means over the last epoch. */
      loss,
      accuracy: z.number(),
    }),
  ),
  /** Of those that reported: whose updates do not count, and why. */
  rejected: z.array(withReason),
  /** Whose training failed, and why. */
  missing: z.array(withReason),
});
export type TrainReply = z.infer<typeof trainReplySchema>;

/** The global model that was written. */
export const saveReplySchema = z.object({
  updates: count,
  examples: count,
  /** Seconds that aggregating and writing took, all together. */
  seconds: z.number(),
  sha256: z.string(),
  /** sha256 of the server optimizer's state. */
  state: z.string().optional(),
  /** Spent after this round. */
  privacy: privacySpentSchema.optional(),
});
export type SaveReply = z.infer<typeof saveReplySchema>;

/** Once the report of an accuracy test is written. */
export const evaluateReplySchema = z.object({ sha256: z.string() });
export type EvaluateReply = z.infer<typeof evaluateReplySchema>;

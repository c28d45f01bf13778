/** What was seen on a machine with a card: results.json, which travels from there to here. */
import { z } from 'zod';

const rowSchema = z.intersection(
  z.object({
    /** Whose: a backend (`onnx/webgpu`), a framework beside us, or the machine. */
    side: z.string(),
    /** E.g. `CNN, batch 100`. */
    what: z.string(),
    seconds: z.number(),
  }),
  z.discriminatedUnion('status', [
    /** `shown` is what a table says of it. */
    z.object({ status: z.literal('ran'), shown: z.string(), figures: z.record(z.string(), z.unknown()) }),
    z.object({ status: z.enum(['not possible here', 'failed']), reason: z.string() }),
  ]),
);
export type Row = Readonly<z.infer<typeof rowSchema>>;

export const resultsSchema = z.object({
  /** When it began: ISO 8601. */
  date: z.string(),
  /** Version and commit of what ran. */
  fedbatch: z.string(),
  /** The card's name; null where none was found. */
  card: z.string().nullable(),
  machine: z.string(),
  /** Sizes that are good for a try-out and not for figures. */
  tiny: z.boolean(),
  rows: z.array(rowSchema).readonly(),
});
export type Results = Readonly<z.infer<typeof resultsSchema>>;

/** Of the machine itself, in `side`. */
export const MACHINE = 'machine';
/** Whether a backend works at all, in `what`. */
export const WORKS = 'works';

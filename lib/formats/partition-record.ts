/** A partition scheme with its parameters, as run.json and manifest.json record it. */
import { z } from 'zod';

const atLeastOne = z.int().min(1);

/** Each scheme with its own parameters, and `more` beside them. */
function schemesWith<S extends z.core.$ZodLooseShape>(more: S) {
  // Records of the first version have no minimum: it was 1.
  const common = { minExamples: atLeastOne.default(1), ...more };
  return z.discriminatedUnion('scheme', [
    z.strictObject({ scheme: z.enum(['iid', 'strided', 'given']), ...common }),
    z.strictObject({ scheme: z.literal('pathological'), piecesPerClient: atLeastOne, ...common }),
    z.strictObject({
      scheme: z.enum(['dirichlet', 'quantity-skew']),
      alpha: z.number().positive(),
      ...common,
    }),
    z.strictObject({ scheme: z.literal('label-skew'), labelsPerClient: atLeastOne, ...common }),
    z.strictObject({ scheme: z.literal('by-key'), key: z.string(), ...common }),
  ]);
}

/** In run.json, where the first version wrote the scheme's name alone. */
export const partitionSettingsSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { scheme: value } : value),
  schemesWith({}),
);

/** In manifest.json, with the seed that it was drawn with. */
export const seededPartitionSchema = schemesWith({ seed: z.int().nonnegative() });

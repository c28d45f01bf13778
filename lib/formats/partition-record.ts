/** A partition scheme with its parameters, as run.json and manifest.json record it. */
import { z } from 'zod';
import type { PartitionSettings } from '../federation/partition/settings.js';
import { PARTITION, SCHEME } from '../settings/parts/partition.js';
import { schemaOfVariants } from '../settings/schema.js';

/** In run.json, where the first version wrote the scheme's name alone. */
export const partitionSettingsSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { scheme: value } : value),
  schemaOfVariants(PARTITION.settings, SCHEME),
) as unknown as z.ZodType<PartitionSettings>;

/** In manifest.json, with the seed that it was drawn with. */
export const seededPartitionSchema = schemaOfVariants(PARTITION.settings, SCHEME, {
  seed: z.int().nonnegative(),
}) as unknown as z.ZodType<PartitionSettings & { readonly seed: number }>;

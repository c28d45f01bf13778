/** The settings of a partition for tests: a scheme and what is given of its parameters, the rest by default. */
import type { PartitionSchemeName, PartitionSettings } from '../lib/federation/partition/settings.js';
import { completeSettings } from '../lib/settings/complete.js';
import { PARTITION } from '../lib/settings/parts/partition.js';
import { byPlace } from '../lib/settings/setting.js';

/** Completes `scheme`. @throws {UsageError} for a parameter of another scheme, or a missing one */
export function partitionSettings(
  scheme: PartitionSchemeName,
  parameters: Readonly<Record<string, string | number | undefined>> = {},
): PartitionSettings {
  const given = Object.fromEntries(
    Object.entries({ scheme, ...parameters }).map(([name, value]) => [`federation.partition.${name}`, value]),
  );
  return completeSettings([PARTITION], { given, named: byPlace }).federation.partition;
}

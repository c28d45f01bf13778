/** Settings for tests: those of command-line flags, those of a partition scheme, values of placeholders. */

import assert from 'node:assert/strict';
import { Command } from 'commander';
import { CLUSTER_SETTINGS, clusterSettings } from '../k8s/cluster-settings.js';
import { PLACEHOLDERS, type PlaceholderName } from '../k8s/manifests/placeholders.js';
import type { AskedOptions } from '../k8s/manifests/template-options.js';
import type { PartitionSchemeName, PartitionSettings } from '../lib/federation/partition/settings.js';
import type { Quorum } from '../lib/federation/quorum.js';
import { askedSettings, completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { PARTITION } from '../lib/settings/parts/partition.js';
import { toleranceAsked } from '../lib/settings/run-settings.js';
import { byPlace } from '../lib/settings/setting.js';
import type { RunSettings } from '../lib/settings/table.js';

/** Parses the flags of a run on a cluster. */
export function settingsFromFlags(flags: readonly string[]): {
  readonly settings: RunSettings;
  readonly quorum: Quorum | undefined;
  readonly asked: AskedOptions;
} {
  const command = addSettings(new Command(), CLUSTER_SETTINGS).exitOverride();
  const asked = askedByFlags(command.parse(flags, { from: 'user' }), CLUSTER_SETTINGS);
  return {
    settings: clusterSettings(asked),
    quorum: toleranceAsked(asked).quorum,
    asked: new Map(askedSettings(asked)),
  };
}

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

/** Values that one placeholder or another takes. */
const VALUES = [
  '/mnt/other',
  'http://p:9091',
  'pvc://fedbatch/runs/a',
  '-1..1',
  'mlp',
  '10.0.0.9',
  '7',
  '0.5',
  '1',
];

/** The words that fill a placeholder with such a value. */
export function filled(name: PlaceholderName): string {
  const { accepts, default: usual } = PLACEHOLDERS[name];
  const value = VALUES.find((each) => accepts(each) && each !== usual);
  assert.ok(value !== undefined, `add a value of ${name} to VALUES`);
  return `${name}=${value}`;
}

/** The settings of a run as its flags give them, for tests that take settings. */
import { Command } from 'commander';
import { CLUSTER_SETTINGS, clusterSettings } from '../k8s/cluster-settings.js';
import type { Quorum } from '../lib/federation/participation.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { toleranceAsked } from '../lib/settings/run-settings.js';
import type { RunSettings } from '../lib/settings/table.js';

/** Parses the flags of a run on a cluster. */
export function settingsFromFlags(flags: readonly string[]): {
  readonly settings: RunSettings;
  readonly quorum: Quorum | undefined;
} {
  const command = addSettings(new Command(), CLUSTER_SETTINGS).exitOverride();
  const asked = askedByFlags(command.parse(flags, { from: 'user' }), CLUSTER_SETTINGS);
  return { settings: clusterSettings(asked), quorum: toleranceAsked(asked).quorum };
}

/** The settings of a run as its flags give them, for tests that take settings. */
import { Command } from 'commander';
import { clusterSettings } from '../k8s/cluster-settings.js';
import type { Quorum } from '../lib/federation/participation.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { addSettingsOptions, type SettingsFlags } from '../pipeline/settings-options.js';

/** Parses the flags of a run on a cluster. */
export function settingsFromFlags(flags: readonly string[]): {
  readonly settings: RunSettings;
  readonly quorum: Quorum | undefined;
} {
  const command = addSettingsOptions(new Command(), 'the dataset').exitOverride();
  const parsed = command.parse(flags, { from: 'user' }).opts<SettingsFlags>();
  return { settings: clusterSettings(parsed), quorum: parsed.quorum };
}

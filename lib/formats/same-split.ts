/** Whether a split that lies there is the one that is wanted: whether the same settings made it. */
import { isDeepStrictEqual } from 'node:util';
import { own } from '../core/own.js';
import type { TargetKinds } from '../federation/examples.js';
import type { PartitionSettings } from '../federation/partition/settings.js';
import { clientsOf, type Manifest } from './manifest.js';
import { targetsListed } from './manifest-facts.js';

/** The settings that a split and the one that is wanted share. */
export interface SplitWanted {
  /** Undefined where it follows from the data. */
  readonly clients?: number | undefined;
  readonly partition: PartitionSettings;
  readonly seed: number;
  /** Share that each client holds out, where clients do. */
  readonly clientHoldout?: number | undefined;
  /** Whether the shards are virtual. */
  readonly virtual: boolean;
  /** As it is written; undefined where it is found. */
  readonly scale?: string | undefined;
  /** Without it, statistics of tables are told. */
  readonly normalize?: 'on' | 'off' | undefined;
  readonly minClientsPerStatistic?: number | undefined;
  /** Of the histograms, where there are some. */
  readonly histogramBins?: number | undefined;
  /** What the targets are to be, where that was asked for. */
  readonly targets?: TargetKinds | undefined;
  /** sha256 of the task that prepares the examples. */
  readonly task?: string | undefined;
}

/** Whether a split was made by these settings, of whatever data. */
export function isSplitBy(manifest: Manifest, wanted: SplitWanted): boolean {
  const { partition, virtual, image } = manifest;
  return (
    manifest.task === wanted.task &&
    manifest.clientHoldout === wanted.clientHoldout &&
    (virtual !== undefined) === wanted.virtual &&
    (image?.scaleIsGiven ? image.scale : undefined) === wanted.scale &&
    hasStatistics(manifest, wanted) &&
    hasTargets(manifest, wanted.targets) &&
    (wanted.clients === undefined || clientsOf(manifest).length === wanted.clients) &&
    isDeepStrictEqual(partition, { ...wanted.partition, seed: wanted.seed })
  );
}

/** Whether a split tells these statistics. One of an earlier version tells none, and is left as it is. */
function hasStatistics(
  { normalize, minClientsPerStatistic, histogramBins, inputs = [], targets }: Manifest,
  wanted: Pick<SplitWanted, 'normalize' | 'minClientsPerStatistic' | 'histogramBins'>,
): boolean {
  if (histogramBins !== wanted.histogramBins) return false;
  if ((minClientsPerStatistic ?? 1) !== (wanted.minClientsPerStatistic ?? 1)) return false;
  if (wanted.normalize === 'off')
    return [...inputs.map((each) => each.statistics ?? each.counts), targets?.statistics].every(
      (each) => each === undefined,
    );
  return normalize === wanted.normalize;
}

/** Whether the targets of a split are what is wanted of them, or of some by their names. */
function hasTargets(
  manifest: Pick<Manifest, 'targets' | 'outputs'>,
  wanted: TargetKinds | undefined,
): boolean {
  const listed = targetsListed(manifest);
  if (typeof wanted !== 'object') return wanted === undefined || wanted === listed;
  // One alone has no name.
  return (
    typeof listed !== 'object' ||
    Object.entries(listed).every(([name, kind]) => (own(wanted, name) ?? kind) === kind)
  );
}

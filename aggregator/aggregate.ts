/** The aggregator's main path: client updates in files → the next global model in a file. */
import { dirname, join } from 'node:path';
import { ThresholdError, UsageError } from '../lib/core/errors.js';
import { privacyAfter } from '../lib/federation/privacy/privacy-record.js';
import { rememberCounted } from '../lib/federation/strategies/server-step.js';
import type { ServerState } from '../lib/federation/strategies/strategy.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import {
  movedClip,
  needsAllExamples,
  type StrategySettings,
} from '../lib/federation/strategies/strategy-settings.js';
import { createUpdateMeter, measuresTold } from '../lib/federation/update-measures.js';
import { formatOf } from '../lib/formats/keras/keras-hdf5.js';
import type { NoiseFile } from '../lib/formats/noise-file.js';
import { writeGlobal } from '../lib/formats/server-state.js';
import type { AggregateResult } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { type Account, admitUpdates, readParent } from './admitted-updates.js';
import { openLargeRound } from './large-round.js';
import { checkStateOptions, openState, type StateFiles } from './open-state.js';
import type { ClientSources } from './round-clients.js';

/** What to aggregate. */
export interface AggregateOptions extends StateFiles, ClientSources {
  /** Directory whose `*.h5` files are updates. */
  readonly directory?: string | undefined;
  /** Files named one by one; of these, plain Keras models count too, as one example each. */
  readonly files: readonly string[];
  readonly saveFile: string;
  /** The global model that the round started from; without it the updates must agree on one. */
  readonly parent?: string | undefined;
  /** What it has to be, by its sha256. */
  readonly parentSha256?: string | undefined;
  /** The round; without it the updates must agree on one. */
  readonly round?: number | undefined;
  /** Fewest valid updates that make a global model; by default one, or all clients' where it is told who they are. */
  readonly minUpdates?: number | undefined;
  readonly strategy: StrategySettings;
  /** The seed of noise that must repeat. */
  readonly seed: number;
  /** For privacy: clients selected in a round, and clients that they are selected from. */
  readonly participants?: number | undefined;
  readonly population?: number | undefined;
  /** For privacy: where the key of the noise lies; by default beside the new model. */
  readonly noiseFile?: string | undefined;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/**
 * Aggregates the updates by the strategy and writes the next global model. Each update is opened twice, first for its
 * facts, which decide about the order, then for its weights: where the strategy averages, memory does not grow with
 * their number.
 *
 * @throws {DataError} when updates disagree about where they come from and no option tells which are right.
 * @throws {ThresholdError} when fewer than `minUpdates` are good.
 */
export async function aggregateUpdates(options: AggregateOptions): Promise<AggregateResult> {
  const { directory, files, saveFile, round, reporter, signal, stateIn, stateOut, parentSha256 } = options;
  const { manifest, selected, reported } = options;
  const startedAt = performance.now();
  const { seed, participants } = options;
  const noise = await openNoise(options);
  const allExamples = await examplesOfAll(options);
  const strategy = strategyNamed(options.strategy, { seed, participants, noise: noise?.source, allExamples });
  checkStateOptions(strategy, options, options.parent);
  const isInPieces = strategy.isElementwise === true && formatOf(saveFile) === 'h5';
  const large = isInPieces ? await openLargeRound(options.parent, parentSha256) : undefined;
  const parent =
    large?.parent ??
    (options.parent === undefined ? undefined : await readParent(options.parent, parentSha256));
  const excluded = [saveFile, stateIn, stateOut];
  const sources = { directory, files, excluded, parent, round, manifest, selected, reported };
  const admitted = await admitUpdates({
    ...sources,
    extras: strategy.client?.extras,
    large,
    reporter,
    signal,
  });
  const { lineage, account } = admitted;
  const minUpdates = options.minUpdates ?? admitted.expected;
  const state = await openState(strategy, { round: lineage.round, parent, stateIn, reporter });
  // Of a private round nothing is told of single clients that the mechanism hides.
  const meter =
    parent !== undefined && options.strategy.privacy === undefined
      ? createUpdateMeter(parent.model.weights, { most: admitted.most })
      : undefined;
  const updates = large?.pass(admitted.updates, meter) ?? meter?.pass(admitted.updates) ?? admitted.updates;
  const made = await strategy
    .aggregate(large?.smallOf(state) ?? state, updates)
    .finally(() => admitted.tellRejected());
  const { round: ended } = lineage;
  const next = rememberCounted(strategy, { next: made, round: ended, counted: account.counted });
  const reference = admitted.reference();
  if (reference === undefined || account.updates < minUpdates)
    throw tooFew(account, { minUpdates, saveFile });
  const like = reference.model;
  const from = state.weights;
  const written =
    (await large?.write({ strategy, state, next, saveFile, signal })) ??
    (await writeGlobal({ strategy, next, from, like, saveFile, stateOut, count: noise?.count }));
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  const { updates: counted, examples, rejected } = account;
  const told = measuresTold(meter, options.strategy.clipNorm);
  return {
    ...{ updates: counted, examples, rejected },
    ...{ ...written, ...spent(options, state, noise), ...told, seconds },
  };
}

/** What is said when too few updates were good. */
export function tooFew(
  { updates, rejected }: Pick<Account, 'updates' | 'rejected'>,
  { minUpdates, saveFile }: { readonly minUpdates: number; readonly saveFile: string },
): ThresholdError {
  return new ThresholdError(
    `Expected at least ${minUpdates} good client updates, found ${updates}` +
      ` (${rejected.length} rejected); ${saveFile} was not written.`,
  );
}

/** The privacy spent after the round that starts from `state`, all before it like it. */
function spent(
  { strategy, participants, population }: AggregateOptions,
  state: ServerState,
  noise: NoiseFile | undefined,
): Pick<AggregateResult, 'privacy'> {
  if (participants === undefined || population === undefined) return {};
  const redrawn = noise?.redrawn(state.round);
  const rounds = Math.max(1, state.round);
  return privacyAfter(strategy, {
    participants,
    population,
    rounds,
    redrawn,
    clip: movedClip(strategy, state),
  });
}

/** The examples of all clients, for a strategy that needs them. @throws {UsageError} when nothing tells them */
async function examplesOfAll({ strategy, manifest }: AggregateOptions): Promise<number | undefined> {
  if (!needsAllExamples(strategy)) return undefined;
  if (manifest === undefined) {
    throw new UsageError(
      `The strategy ${strategy.name} weighs updates by the examples of all clients: name the split's --manifest.`,
    );
  }
  const { clientsOf, readManifest } = await import('../lib/formats/manifest.js');
  return clientsOf(await readManifest(manifest)).reduce((sum, { examples }) => sum + examples, 0);
}

/** Noise that derives from the seed has no key. */
async function openNoise({
  strategy,
  saveFile,
  noiseFile = join(dirname(saveFile), 'noise-key.json'),
}: AggregateOptions): Promise<NoiseFile | undefined> {
  if (strategy.privacy?.noiseSource !== 'system') return undefined;
  const { openNoiseFile } = await import('../lib/formats/noise-file.js');
  return openNoiseFile(noiseFile);
}

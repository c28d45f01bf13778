/** The aggregator as a call: updates in files → the next global model, or a group's sums. The program and the library make it. */
import { UsageError } from '../lib/core/errors.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import type { AggregateResult } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { SEED } from '../lib/settings/parts/data.js';
import { STRATEGY } from '../lib/settings/parts/strategy.js';
import type { AggregateOptions } from './aggregate.js';

/** The settings that an aggregation takes. */
export const AGGREGATE_PARTS = [STRATEGY] as const;

/** What an aggregation is told beside its updates and its strategy; the options of the program have these names. */
export interface AggregationOptions {
  /** Of noise that must repeat. */
  readonly seed?: number | undefined;
  /** Where the new global model goes (h5). */
  readonly out: string;
  /** The global model that the round started from; without it the updates must agree on one. */
  readonly parent?: string | undefined;
  /** What `parent` has to be, by the sha256 of the file. */
  readonly parentSha256?: string | undefined;
  /** Number of the round; without it the updates must agree on one. */
  readonly round?: number | undefined;
  /** The split's manifest: only updates of its clients, of their shards' size, count. */
  readonly manifest?: string | undefined;
  /** The clients of the round: only their updates count. */
  readonly clients?: readonly number[] | undefined;
  /** The round's record: only the files that it lists count. */
  readonly reported?: string | undefined;
  /** Fewest valid updates that make a global model; 1, or all that are told of. */
  readonly minUpdates?: number | undefined;
  /** The server optimizer's state that belongs to `parent`, and where that of the next round goes. */
  readonly stateIn?: string | undefined;
  readonly stateOut?: string | undefined;
  /** For privacy: clients selected in each round, and clients that they are selected from. */
  readonly dpParticipants?: number | undefined;
  readonly dpPopulation?: number | undefined;
  /** For privacy: where the secret key of the noise lies; by default `noise-key.json` beside `out`. */
  readonly dpNoiseFile?: string | undefined;
}

/** What to aggregate, and into what. */
export interface AggregateAsked extends AggregationOptions {
  readonly asked: AskedSettings;
  /** Updates named one by one, and a directory of them. */
  readonly files: readonly string[];
  readonly dir?: string | undefined;
  /** Name of a group: its sums are written in place of a model. */
  readonly group?: string | undefined;
  /** Files of groups, in place of updates. */
  readonly groups?: readonly string[] | undefined;
}

type Context = { readonly reporter: Reporter; readonly signal: AbortSignal };

/** Aggregates. @throws {ThresholdError} @throws {DataError} as `aggregate` does */
export async function callAggregator(request: AggregateAsked, context: Context): Promise<AggregateResult> {
  const { asked, files, dir: directory, group, groups, out: saveFile, parent, round, manifest } = request;
  const { reported, stateIn, stateOut, parentSha256 } = request;
  // Checks are loaded where there is something to check: help and wrong options are quick.
  const { checkClients, strategySettings } = await import('../lib/settings/checks.js');
  const strategy = strategySettings(asked);
  const { seed } = completeSettings([SEED], { ...asked, given: { seed: request.seed } });
  // An empty list is that of a template that nobody filled in: all clients.
  const selected = request.clients?.length === 0 ? undefined : request.clients;
  const privacy = participation(request, strategy);
  const { participants, population } = privacy;
  if (participants !== undefined && population !== undefined) {
    checkClients(strategy, { selected: participants, clients: population }, asked.named);
  }
  const level = { saveFile, parent, parentSha256, round, strategy, ...context };
  // A group has some of the clients: how many, nothing tells.
  const minUpdates = request.minUpdates ?? 1;
  if (group !== undefined && (stateIn !== undefined || stateOut !== undefined)) {
    throw new UsageError('--state-in and --state-out do not go with --group, which makes no global model.');
  }
  if (parentSha256 !== undefined && parent === undefined)
    throw new UsageError('--parent-sha256 goes with --parent, the file that it is of.');
  if (groups !== undefined) {
    if (directory === undefined && files.length === 0) {
      const given = reported !== undefined ? '--reported' : manifest !== undefined ? '--manifest' : undefined;
      if (given !== undefined) {
        throw new UsageError(`${given} goes with updates: give it where groups are made, not with --groups.`);
      }
      const { aggregateGroups } = await import('./group.js');
      return aggregateGroups({ ...level, minUpdates, group, groups, stateIn, stateOut });
    }
    throw new UsageError('Expected either --groups or updates (--dir or files), found both.');
  }
  if (directory === undefined && files.length === 0)
    throw new UsageError('Expected --dir, files or --groups, found none of them.');
  if (reported !== undefined && (directory === undefined || files.length > 0)) {
    throw new UsageError(
      '--reported goes with a directory of updates, not with files that are named one by one.',
    );
  }
  const updates = { directory, files, manifest, selected, reported };
  // Loaded once the arguments are right; groups, whose files are checked by a schema, only where there are some.
  if (group !== undefined) {
    const { aggregateGroup } = await import('./group.js');
    return aggregateGroup({ ...level, ...updates, minUpdates, group });
  }
  const { aggregateUpdates } = await import('./aggregate.js');
  return aggregateUpdates({
    ...level,
    ...privacy,
    ...updates,
    minUpdates: request.minUpdates,
    seed,
    stateIn,
    stateOut,
  });
}

/** Clients selected in a round and in all: what noise is shared among, and what privacy is reckoned with. */
function participation(
  request: AggregateAsked,
  strategy: StrategySettings,
): Pick<AggregateOptions, 'participants' | 'population' | 'noiseFile'> {
  const { dpParticipants: participants, dpPopulation: population, dpNoiseFile: noiseFile } = request;
  if (strategy.privacy === undefined) {
    if (participants === undefined && population === undefined && noiseFile === undefined) return {};
    throw new UsageError(
      '--dp-participants, --dp-population and --dp-noise-file go with --dp-clip and --dp-noise alone.',
    );
  }
  if (participants === undefined || population === undefined) {
    throw new UsageError('Differential privacy takes --dp-participants and --dp-population too.');
  }
  if (participants <= population) return { participants, population, noiseFile };
  throw new UsageError(
    `--dp-participants ${participants} cannot be selected from --dp-population ${population}.`,
  );
}

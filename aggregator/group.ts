/** Aggregation in two levels: the updates of each group become sums in a file, and the sums the next global model. */
import { UsageError } from '../lib/core/errors.js';
import { AUTO, clipped } from '../lib/federation/strategies/clip-norm.js';
import { sumGroups, sumUpdates } from '../lib/federation/strategies/server-step.js';
import type { Strategy } from '../lib/federation/strategies/strategy.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { encodeGroup, type GroupFile } from '../lib/formats/group-file.js';
import { frameOf } from '../lib/formats/keras/keras-file.js';
import { writeGlobal } from '../lib/formats/server-state.js';
import type { AggregateResult } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { admitUpdates, readParent } from './admitted-updates.js';
import { tooFew } from './aggregate.js';
import { openGroups } from './groups.js';
import { checkStateOptions, openState, type StateFiles } from './open-state.js';
import type { ClientSources } from './round-clients.js';

/** What both levels have in common. */
interface LevelOptions {
  readonly saveFile: string;
  readonly parent?: string | undefined;
  /** What it has to be, by its sha256. */
  readonly parentSha256?: string | undefined;
  readonly round?: number | undefined;
  /** Fewest valid updates, those of all groups together. */
  readonly minUpdates: number;
  readonly strategy: StrategySettings;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** A group to be made of updates. */
interface GroupOptions extends LevelOptions, ClientSources {
  /** What the group is called. */
  readonly group: string;
  readonly directory?: string | undefined;
  readonly files: readonly string[];
}

/** Groups to be put together, to a global model or, with a name, to a larger group. */
interface GroupsOptions extends LevelOptions, StateFiles {
  readonly group?: string | undefined;
  /** Files of groups. */
  readonly groups: readonly string[];
}

/**
 * Adds up the updates of a group, clipped where the strategy does so, and writes their sums. The same updates give the
 * same bytes.
 *
 * @throws {ThresholdError} when fewer than `minUpdates` are good
 */
export async function aggregateGroup(options: GroupOptions): Promise<AggregateResult> {
  const { group, directory, files, saveFile, round, minUpdates, reporter, signal } = options;
  const { manifest, selected, reported } = options;
  const startedAt = performance.now();
  const clipNorm = groupClip(options.strategy);
  const strategy = requireAverage(options.strategy);
  const parent =
    options.parent === undefined ? undefined : await readParent(options.parent, options.parentSha256);
  if (clipNorm !== undefined && parent === undefined) {
    throw new UsageError('--clip-norm starts from the global model of the round: name it with --parent.');
  }
  const sources = { directory, files, excluded: [saveFile], parent, round, manifest, selected, reported };
  const { client, terms } = strategy;
  const admitted = await admitUpdates({
    ...sources,
    extras: client?.extras,
    needsFacts: true,
    reporter,
    signal,
  });
  const updates =
    clipNorm === undefined || parent === undefined
      ? admitted.updates
      : clipped(admitted.updates, parent.model.weights, clipNorm);
  const sums = await sumUpdates(updates, terms).finally(() => admitted.tellRejected());
  const { account, lineage } = admitted;
  const reference = admitted.reference();
  if (sums === null || reference === undefined || account.updates < minUpdates) {
    throw tooFew(account, { minUpdates, saveFile });
  }
  const { clients, examples, rejected } = account;
  const facts = {
    group,
    ...lineage,
    ...termsOf(strategy),
    clipNorm,
    clients,
    ...frameOf(reference.model),
  };
  const written = await writeGroup(saveFile, { ...facts, sums });
  return { updates: account.updates, examples, rejected, ...written, seconds: since(startedAt) };
}

/**
 * Puts groups together: the bytes of the global model, or of the larger group, are those that all their updates at once
 * give. A group that does not fit ends it, since all of its updates would be missing.
 *
 * @throws {DataError} naming the group that does not fit, or has a client of another one, and why
 * @throws {ThresholdError} when the groups have fewer than `minUpdates` updates
 */
export async function aggregateGroups(options: GroupsOptions): Promise<AggregateResult> {
  const { group, groups, saveFile, round, minUpdates, reporter, signal, stateIn, stateOut } = options;
  const startedAt = performance.now();
  const clipNorm = groupClip(options.strategy);
  const strategy = requireAverage(options.strategy);
  if (group === undefined) checkStateOptions(strategy, options, options.parent);
  const parent =
    options.parent === undefined ? undefined : await readParent(options.parent, options.parentSha256);
  const told = { parent, round, clipNorm, ...termsOf(strategy) };
  const opened = await openGroups(groups, { ...told, saveFile, reporter, signal });
  const { facts } = opened;
  const account = () => ({ updates: opened.clients().length, examples: opened.examples(), rejected: [] });
  if (group !== undefined) {
    const sums = await sumGroups(opened.sums);
    if (sums === null || account().updates < minUpdates) throw tooFew(account(), { minUpdates, saveFile });
    const written = await writeGroup(saveFile, { ...facts, group, clients: opened.clients(), sums });
    return { ...account(), ...written, seconds: since(startedAt) };
  }
  const state = await openState(strategy, { round: facts.round, parent, stateIn, reporter });
  const next = await strategy.aggregateGroups?.(state, opened.sums);
  if (next === undefined || account().updates < minUpdates) throw tooFew(account(), { minUpdates, saveFile });
  const like = parent?.model ?? facts;
  const written = await writeGlobal({ strategy, next, from: state.weights, like, saveFile, stateOut });
  return { ...account(), ...written, seconds: since(startedAt) };
}

/** @throws {UsageError} for a strategy whose result sums do not determine */
function requireAverage(settings: StrategySettings): Strategy {
  if (settings.privacy !== undefined) {
    throw new UsageError(
      '--dp-clip does not go with groups: noise belongs to one sum of all clients, and sums without it are not private.',
    );
  }
  const strategy = strategyNamed(settings);
  if (strategy.aggregateGroups === undefined) {
    throw new UsageError(
      `--strategy ${settings.name} does not go with groups: it looks at each update, and a group tells their sums alone.`,
    );
  }
  if (strategy.client?.keeps !== undefined) {
    throw new UsageError(
      `--strategy ${settings.name} does not go with groups: its server remembers whose updates counted.`,
    );
  }
  return strategy;
}

/** The norm that a group's updates are clipped to. @throws {UsageError} where all updates of the round decide about it */
function groupClip({ clipNorm }: StrategySettings): number | undefined {
  if (clipNorm !== AUTO) return clipNorm;
  throw new UsageError(
    `--clip-norm ${AUTO} does not go with groups: it is the median over all updates of a round, and a group has its own ` +
      'alone; give a number.',
  );
}

/** The strategy that sums are made for, where they are not those of the weights alone. */
const termsOf = ({ name, terms }: Strategy) => (terms === undefined ? {} : { strategy: name });

async function writeGroup(saveFile: string, group: GroupFile): Promise<{ readonly sha256: string }> {
  const bytes = await encodeGroup(group);
  await writeFileAtomic(saveFile, bytes);
  return { sha256: sha256(bytes) };
}

const since = (startedAt: number) => Math.round(performance.now() - startedAt) / 1000;

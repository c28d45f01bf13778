/** The aggregator's main path: client updates in files → the next global model in a file. */
import { ThresholdError } from '../lib/federation/errors.js';
import { type PrivacyRecord, privacyAfter } from '../lib/federation/privacy/privacy-record.js';
import type { WeightedUpdate } from '../lib/federation/strategies/strategy.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { readFileBytes, sha256 } from '../lib/formats/atomic-file.js';
import type { KerasFile } from '../lib/formats/keras-file.js';
import { decodeKerasFile, KERAS_FILE, readKerasFile } from '../lib/formats/keras-hdf5.js';
import { startState, writeGlobal } from '../lib/formats/server-state.js';
import type { Reporter } from '../lib/observability/events.js';
import { type Admission, createAdmission, type NamedModel } from './admission.js';
import { type Candidate, findCandidates, type Rejection, unreadable } from './candidates.js';
import { agreeOnLineage } from './lineage.js';
import { readAhead } from './read-ahead.js';
import { holdToSplit } from './split-clients.js';
import { checkStateOptions, type StateFiles } from './state-options.js';

/** What to aggregate. */
export interface AggregateOptions extends StateFiles {
  /** Directory whose `*.h5` files are updates. */
  readonly directory?: string | undefined;
  /** Files named one by one; of these, plain Keras models count too, as one example each. */
  readonly files: readonly string[];
  readonly saveFile: string;
  /** The global model that the round started from; without it the updates must agree on one. */
  readonly parent?: string | undefined;
  /** The round; without it the updates must agree on one. */
  readonly round?: number | undefined;
  /** The manifest of the split that the round trains on: updates of another are rejected. */
  readonly manifest?: string | undefined;
  /** Fewest good updates that make a global model; by default one, of a split all of its clients. */
  readonly minUpdates?: number | undefined;
  readonly strategy: StrategySettings;
  /** The seed of noise that must repeat. */
  readonly seed: number;
  /** For privacy: clients selected in a round, and clients that they are selected from. */
  readonly participants?: number | undefined;
  readonly population?: number | undefined;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface AggregateResult {
  /** Number of updates in the average. */
  readonly updates: number;
  /** Their examples in total, which are the weights of the average. */
  readonly examples: number;
  readonly rejected: readonly Rejection[];
  /** sha256 of the new global model's file. */
  readonly sha256: string;
  /** sha256 of the file of the server optimizer's state, where one was asked for. */
  readonly state?: string;
  /** Spent after this round, where rounds were private and all alike. */
  readonly privacy?: PrivacyRecord;
  readonly seconds: number;
}

/**
 * Aggregates the updates by the strategy and writes the next global model. Each update is opened twice, first for its
 * facts, which decide about the order, then for its weights: where the strategy averages, memory does not grow with
 * their number.
 *
 * @throws {DataError} when updates disagree about where they come from and no option tells which are right.
 * @throws {ThresholdError} when fewer than `minUpdates` are good.
 */
export async function aggregate(options: AggregateOptions): Promise<AggregateResult> {
  const { directory, files, saveFile, round, manifest, reporter, signal, stateIn, stateOut } = options;
  const startedAt = performance.now();
  const { seed, participants } = options;
  const strategy = strategyNamed(
    options.strategy,
    participants === undefined ? undefined : { seed, participants },
  );
  checkStateOptions(strategy, options, options.parent);
  const parent = options.parent === undefined ? undefined : await readParent(options.parent);
  const own = [saveFile, parent?.file, stateIn, stateOut];
  const excluded = own.filter((file) => file !== undefined);
  const found = await findCandidates({ directory, files, excluded });
  const ofSplit = manifest === undefined ? { ...found, clients: 1 } : await holdToSplit(found, manifest);
  const { candidates, rejected } = ofSplit;
  const minUpdates = options.minUpdates ?? ofSplit.clients;
  const lineage = agreeOnLineage(candidates, { parent: parent?.sha256, round });
  const admission = createAdmission(lineage, parent);

  const account = { updates: 0, examples: 0, rejected: [...rejected] };
  const start = parent && { file: parent.file, weights: parent.model.weights, sha256: parent.sha256 };
  const state = await startState(strategy, { round: lineage.round, parent: start }, stateIn);
  if (strategy.slots.length > 0 && stateIn === undefined && lineage.round > 1) {
    reporter.warn(
      `${strategy.name} starts anew in round ${lineage.round}: no --state-in tells what it remembers.`,
    );
  }
  const next = await strategy
    .aggregate(state, admit({ candidates, admission, account, reporter, signal }))
    .finally(() => {
      for (const { file, reason } of account.rejected)
        reporter.warn(`Rejected ${file}: ${reason}.`, { file, reason });
    });
  const reference = admission.reference();
  if (reference === undefined || account.updates < minUpdates) {
    throw new ThresholdError(
      `Expected at least ${minUpdates} good client updates, found ${account.updates}` +
        ` (${account.rejected.length} rejected); ${saveFile} was not written.`,
    );
  }
  const written = await writeGlobal({ strategy, next, like: reference.model, saveFile, stateOut });
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  return { ...account, ...written, ...spent(options, lineage.round), seconds };
}

/** The privacy spent after `round` rounds, each like this one. */
function spent(
  { strategy, participants, population }: AggregateOptions,
  round: number,
): Pick<AggregateResult, 'privacy'> {
  if (participants === undefined || population === undefined) return {};
  return privacyAfter(strategy, { participants, population, rounds: Math.max(1, round) });
}

/** Models that wait in memory for their turn. */
const READ_AHEAD = 2;

interface Account {
  updates: number;
  examples: number;
  readonly rejected: Rejection[];
}

interface AdmitOptions extends Pick<AggregateOptions, 'reporter'> {
  readonly candidates: readonly Candidate[];
  readonly admission: Admission;
  readonly account: Account;
  readonly signal: AbortSignal | undefined;
}

/** Reads one candidate after the other, passes the good ones on, and writes everything into the account. */
async function* admit(options: AdmitOptions): AsyncGenerator<WeightedUpdate> {
  const { candidates, admission, account, reporter, signal } = options;
  let done = 0;
  for await (const [candidate, result] of readAhead(candidates, READ_AHEAD, readCandidate)) {
    signal?.throwIfAborted();
    const reason = 'error' in result ? unreadable(result.error) : admission.judge(candidate, result.value);
    if ('value' in result && reason === null) {
      const examples = countExamples(candidate, result.value, reporter);
      account.updates++;
      account.examples += examples;
      yield { weights: result.value.weights, examples };
    } else account.rejected.push({ file: candidate.file, reason: reason ?? '' });
    reporter.progress({ stage: 'aggregate', done: ++done, total: candidates.length, unit: 'models' });
  }
}

/** Our trainer writes float32: an update in another type is none of its making. Models that users name are converted. */
function readCandidate({ file, facts }: Candidate): Promise<KerasFile> {
  return readKerasFile(file, facts === undefined ? {} : { types: ['float32'] });
}

function countExamples({ file }: Candidate, { update }: KerasFile, reporter: Reporter): number {
  if (update) return update.examples;
  reporter.warn(`${file} does not tell its number of examples: it counts as one example.`, { file });
  return 1;
}

async function readParent(file: string): Promise<NamedModel & { readonly sha256: string }> {
  const bytes = await readFileBytes(file, KERAS_FILE);
  return { file, model: await decodeKerasFile(bytes, file), sha256: sha256(bytes) };
}

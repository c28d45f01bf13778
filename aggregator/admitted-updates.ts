/** The valid updates of a round, read one after the other, and the account of all that were looked at. */

import { parameterCount } from '../lib/core/weights.js';
import type { ExtraKinds } from '../lib/federation/client-side.js';
import type { WeightedUpdate } from '../lib/federation/strategies/strategy.js';
import { type OpenFile, sha256OfSource, withOpenFile } from '../lib/formats/files/byte-source.js';
import { type ReadLimits, requireHash } from '../lib/formats/files/read-file.js';
import type { GroupClient } from '../lib/formats/group-file.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { KERAS_FILE, type ReadOptions, readKerasFrom } from '../lib/formats/keras/keras-hdf5.js';
import type { Rejection } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { createAdmission, type NamedModel, ROUND_PARENT, type RoundParent } from './admission.js';
import { findCandidates, readAhead, type UpdateCandidate, whyUnreadable } from './candidates.js';
import type { LargeRound } from './large-round.js';
import { agreeOnLineage, type Lineage } from './lineage.js';
import type { ClientSources } from './round-clients.js';

/** Where updates come from, and what they have to agree with. */
interface UpdateSources extends ClientSources {
  /** Directory whose `*.h5` files are updates. */
  readonly directory?: string | undefined;
  /** Files named one by one. */
  readonly files: readonly string[];
  /** The result and what else is no update, wherever it lies. */
  readonly excluded: readonly (string | undefined)[];
  /** The global model that the round started from; without it the updates must agree on one. */
  readonly parent?: RoundParent | undefined;
  /** The round; without it the updates must agree on one. */
  readonly round?: number | undefined;
  /** Updates without facts do not count, since a group must tell its clients. */
  readonly needsFacts?: boolean;
  /** What the strategy needs of each update beside its weights. */
  readonly extras?: ExtraKinds | undefined;
  /** Where the numbers of large arrays stay in the files. */
  readonly large?: LargeRound | undefined;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal | undefined;
}

/** What became of the updates, as far as they have been read. */
export interface Account {
  updates: number;
  examples: number;
  readonly rejected: Rejection[];
  /** Those whose updates count. */
  readonly counted: number[];
  /** For a group, those that it is of. */
  readonly clients: GroupClient[];
}

/** Updates to be read. */
interface AdmittedUpdates {
  readonly lineage: Lineage;
  readonly account: Account;
  /** As many as there should be: one of each client where it is told whose there can be, else one. */
  readonly expected: number;
  /** As many as there can be. */
  readonly most: number;
  /** The good ones, by client; can be read once. */
  readonly updates: AsyncIterable<WeightedUpdate>;
  /** Whose architecture the result has: the parent's, or the first good model's. */
  reference(): NamedModel | undefined;
  /** Warns of each one that was rejected. */
  tellRejected(): void;
}

/**
 * What an update's file may have over the numbers of the global model: as float64, beside an optimizer's two moments of
 * each, and a description.
 */
const MAX_FILE = { timesModel: 8, moreBytes: 64e6 } as const;
/** Models that wait in memory for their turn. */
const READ_AHEAD = 2;
const NO_CLIENT = 'tells no client, and a group lists its clients';

/** Reads the global model of a round. @throws {DataError} when it is missing, no model, or another one than `known` by its sha256 */
export async function readParent(file: string, known: string | undefined): Promise<RoundParent> {
  return withOpenFile(file, KERAS_FILE, async (source) => {
    const found = sha256OfSource(source);
    requireHash(file, ROUND_PARENT, { known, found });
    return { file, model: await readKerasFrom(source, file), sha256: found };
  });
}

/**
 * Looks at the facts of all files, which decide about the order; their weights are read when they are asked for.
 *
 * @throws {DataError} when updates disagree about where they come from and no option tells which are right, or there is
 *   no such manifest
 */
export async function admitUpdates(sources: UpdateSources): Promise<AdmittedUpdates> {
  const { directory, files, parent, round, extras, large, reporter } = sources;
  const excluded = [...sources.excluded, parent?.file].filter((file) => file !== undefined);
  const clients = await clientsOf(sources);
  const like = parent?.model.weights;
  const maxBytes =
    like && MAX_FILE.timesModel * parameterCount(like) * Float32Array.BYTES_PER_ELEMENT + MAX_FILE.moreBytes;
  const sought = { directory, files, excluded, clients, maxBytes };
  const { candidates, rejected } = await findCandidates(sought);
  const lineage = agreeOnLineage(candidates, { parent: parent?.sha256, round });
  const admission = createAdmission(lineage, { parent, extras, whyUnusable: large?.whyUnusable });
  const account: Account = { updates: 0, examples: 0, rejected: [...rejected], counted: [], clients: [] };

  // Only a group tells the hashes of its updates.
  const limits = { hashed: sources.needsFacts ?? false, like, extras, maxBytes, large };
  const read = (candidate: UpdateCandidate) => readCandidate(candidate, limits);
  async function* updates(): AsyncGenerator<WeightedUpdate> {
    let done = 0;
    let mergedBytes = 0;
    for await (const [candidate, result] of readAhead(candidates, READ_AHEAD, read)) {
      sources.signal?.throwIfAborted();
      const reason = await reasonAgainst(candidate, result);
      if ('value' in result && reason === null) {
        const { model, sha256: hash, sizeBytes } = result.value;
        const examples = countExamples(candidate, model, reporter);
        account.updates++;
        account.examples += examples;
        mergedBytes += sizeBytes;
        if (model.update) account.counted.push(model.update.client);
        if (model.update && hash !== undefined)
          account.clients.push({ client: model.update.client, examples, sha256: hash });
        const client = model.update?.client;
        yield { client, weights: model.weights, examples, extras: model.extras };
      } else account.rejected.push({ file: candidate.file, reason: reason ?? '' });
      reporter.progress({
        ...{ stage: 'aggregate', done: ++done, total: candidates.length, unit: 'models' },
        ...{ merged: account.updates, mergedBytes, rejected: account.rejected.length },
      });
    }
  }
  const reasonAgainst = async (candidate: UpdateCandidate, result: CandidateResult) => {
    if ('error' in result) return whyUnreadable(candidate.file, result.error);
    if (sources.needsFacts && candidate.facts === undefined) return NO_CLIENT;
    return admission.judge(candidate, result.value.model);
  };

  return {
    lineage,
    account,
    expected: clients?.clients.size ?? 1,
    most: candidates.length,
    updates: updates(),
    reference: () => admission.reference(),
    tellRejected() {
      for (const { file, reason } of account.rejected)
        reporter.warn(`Rejected ${file}: ${reason}.`, { file, reason });
    },
  };
}

/** Only where something is told is loaded what reads it. */
async function clientsOf({ manifest, selected, reported }: ClientSources) {
  if (manifest === undefined && selected === undefined && reported === undefined) return undefined;
  const { roundClients } = await import('./round-clients.js');
  return roundClients({ manifest, selected, reported });
}

interface ReadCandidate {
  readonly model: KerasFile;
  readonly sizeBytes: number;
  readonly sha256?: string;
}

type CandidateResult = { readonly value: ReadCandidate } | { readonly error: unknown };

/** What a file is read under. */
interface CandidateLimits extends Pick<ReadOptions, 'like' | 'extras'>, ReadLimits {
  readonly hashed: boolean;
  readonly large: LargeRound | undefined;
}

/**
 * Our trainer writes float32, one after the other: an update that is stored in another way is none of its making. Models
 * that users name are converted.
 */
function readCandidate(
  { file, facts, sha256: reported }: UpdateCandidate,
  { hashed, like, extras, maxBytes, large }: CandidateLimits,
): Promise<ReadCandidate> {
  const read = async (source: OpenFile) => {
    const hash = hashed || reported !== undefined ? { sha256: sha256OfSource(source) } : undefined;
    if (hash !== undefined) {
      const what = `the file that client ${facts?.client} reported`;
      requireHash(file, what, { known: reported, found: hash.sha256 });
    }
    const model = await readKerasFrom(source, file, {
      like,
      extras,
      isPlaced: large !== undefined,
      ...(facts === undefined ? {} : { types: ['float32'], isPlain: true }),
    });
    large?.examine(model.weights, { file, source });
    return { model, sizeBytes: source.sizeBytes, ...hash };
  };
  return withOpenFile(file, KERAS_FILE, read, { maxBytes });
}

function countExamples({ file }: UpdateCandidate, { update }: KerasFile, reporter: Reporter): number {
  if (update) return update.examples;
  reporter.warn(`${file} does not tell its number of examples: it counts as one example.`, { file });
  return 1;
}

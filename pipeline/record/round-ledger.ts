/** A round's record while the round runs: read where an earlier run left it, written again after every step. */
import type { MissingClient } from '../../lib/federation/quorum.js';
import { ifWhole } from '../../lib/formats/files/json-document.js';
import { sha256OfFile } from '../../lib/formats/files/read-file.js';
import {
  type ClientRecord,
  newRoundRecord,
  type RoundRecord,
  readRoundRecord,
  writeRecord,
} from '../../lib/formats/run-record.js';
import type { RoundPaths } from '../../lib/formats/volume.js';

/** The record of one round, always as it lies on the volume. */
export interface RoundLedger {
  readonly record: RoundRecord;
  /** Adds a client that reported, in place of what it reported before. */
  report(client: ClientRecord): Promise<void>;
  /** Adds a client that is missing; what it reported before no longer counts. */
  lose(client: MissingClient): Promise<void>;
  /** Sets other facts of the round. */
  set(
    facts: Partial<
      Pick<
        RoundRecord,
        | 'learningRate'
        | 'reported'
        | 'rejected'
        | 'missing'
        | 'simulated'
        | 'aggregate'
        | 'failure'
        | 'evaluation'
        | 'seconds'
        | 'acrossClients'
      >
    >,
  ): Promise<void>;
}

/** Which round, and what it starts from. */
interface LedgerStart {
  readonly round: number;
  /** sha256 of the global model that it starts from. */
  readonly parent: string;
  readonly selected: readonly number[];
  /** Fewest valid updates that it needs; by default all. */
  readonly quorum?: number | undefined;
}

/** Opens a round's record; one that is damaged, or of another start, counts as not there. */
export async function openLedger(paths: RoundPaths, start: LedgerStart): Promise<RoundLedger> {
  const earlier = await ifWhole(readRoundRecord(paths.record));
  let record = earlier !== undefined && isSameStart(earlier, start) ? earlier : newRoundRecord(start);
  // Whoever opens a round whose files are gone makes them again.
  if (record.pruned !== undefined) record = { ...record, pruned: undefined };
  const { quorum = start.selected.length } = start;
  // A round that is aggregated keeps the quorum under which it went on.
  if (record.aggregate === undefined && record.quorum !== quorum) record = { ...record, quorum };
  let writing = record === earlier ? Promise.resolve() : writeRecord(paths.record, record);
  await writing;
  // Trainers end side by side: each change is made at once, and all that come while a write runs share the next one.
  let next: Promise<void> | undefined;
  const change = (facts: Partial<RoundRecord>): Promise<void> => {
    record = { ...record, ...facts };
    next ??= writing
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        writing = writeRecord(paths.record, record);
        return writing;
      });
    return next;
  };
  const without = <T extends { readonly client: number }>(list: readonly T[], client: number) =>
    list.filter((each) => each.client !== client);
  return {
    get record() {
      return record;
    },
    report: (client) => {
      const others = without(record.reported, client.client);
      const before = record.reported.find((each) => each.client === client.client);
      // What has been found of this very update since stays.
      const found = client.sha256 !== undefined && before?.sha256 === client.sha256 ? before : {};
      return change({ reported: [...others, { ...found, ...client }].sort(byClient) });
    },
    lose: (client) => {
      const missing = [...without(record.missing, client.client), client].sort(byClient);
      return change({ missing, reported: without(record.reported, client.client) });
    },
    set: change,
  };
}

const byClient = (a: { readonly client: number }, b: { readonly client: number }) => a.client - b.client;

function isSameStart(record: RoundRecord, { round, parent, selected }: LedgerStart): boolean {
  return record.round === round && record.parent === parent && record.selected.join() === selected.join();
}

/** Whether the file at `path` is there and still holds what its record says. @throws {DataError} as `ifWhole` does */
export async function holds(path: string, sha256: string | undefined): Promise<boolean> {
  if (sha256 === undefined) return false;
  return (await ifWhole(sha256OfFile(path, 'a file of the run'))) === sha256;
}

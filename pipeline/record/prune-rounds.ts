/** Removes the files of rounds that later ones need no more (`--keep-rounds`): their records stay and list them. */
import { readdir, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { removeFile } from '../../lib/formats/files/atomic-file.js';
import { readRoundRecord, writeRecord } from '../../lib/formats/run-record.js';
import { isUpdateName } from '../../lib/formats/volume.js';
import { remembers } from '../commands/stage-commands.js';
import type { LocalRun } from '../local-run.js';
import { countedUpdates, type FinishedRecord, lastUpdates } from './settled-rounds.js';

/** What is pruned of a run, and when. */
export interface Pruner {
  /** Begins with the rounds of an earlier session; the best is the one of them whose model is kept. */
  begin(settled: readonly FinishedRecord[], best: number): Promise<void>;
  /** A round is over and on record: those too long before it lose their files, but for the model of the best one. */
  after(round: number, best: number): Promise<void>;
}

/** Prunes nothing. */
export const NO_PRUNER: Pruner = { async begin() {}, async after() {} };

/**
 * Keeps the files of the last rounds, so many, each of which can be made again, and what those after them are made from:
 * the model that the first of them starts from, the best model, and the last update of each client that goes on from it.
 * A record lists what is removed before it is: a prune that was killed is finished by the next session.
 *
 * @throws {StorageError} by its functions, when a file cannot be removed
 */
export function createPruner(
  { paths, settings }: Pick<LocalRun, 'paths' | 'settings'>,
  keepRounds: number,
): Pruner {
  /** The first round that is not pruned. */
  let next = 1;
  /** By client, the round of its last update that counted, of those that are pruned. */
  const kept = new Map<number, number>();
  /** The round whose model is kept as the best one, once its files are pruned. */
  let keptBest: number | undefined;

  const prune = async (round: number, best: number): Promise<void> => {
    const files = paths.round(round);
    const record = await readRoundRecord(files.record);
    const names = [files.globalModel, files.serverState, files.updates].map((file) => basename(file));
    const there = await readdir(files.root);
    if (record.pruned === undefined) {
      await writeRecord(files.record, { ...record, pruned: names.filter((name) => there.includes(name)) });
    }
    // It is what the round before came to.
    if (best !== round - 1) await removeFile(files.globalModel);
    await removeFile(files.serverState);
    const counted = remembers(settings) ? countedUpdates(record) : [];
    for (const { client } of counted) {
      const before = kept.get(client);
      if (before !== undefined && before !== round) await removeFile(paths.round(before).update(client));
      kept.set(client, round);
    }
    const goesOn = new Set(counted.map(({ client }) => basename(files.update(client))));
    for (const name of await readdir(files.updates).catch(() => [])) {
      if (isUpdateName(name) && !goesOn.has(name)) await removeFile(join(files.updates, name));
    }
    await rmdir(files.updates).catch(() => undefined);
  };
  /** Removes the model of a round that was the best one and is no more. */
  const forgetBest = async (best: number): Promise<void> => {
    if (keptBest !== undefined && keptBest !== best && keptBest + 1 < next) {
      await removeFile(paths.round(keptBest + 1).globalModel);
    }
    keptBest = best;
  };
  return {
    async begin(settled, best) {
      const pruned = settled.filter((record) => record.pruned !== undefined);
      for (const { client, round } of lastUpdates(pruned).values()) kept.set(client, round);
      // A session that was killed may have listed the files of the last of them, and not removed all.
      next = Math.max(1, pruned.at(-1)?.round ?? 1);
      for (const { round } of pruned)
        if (round !== best + 1) await removeFile(paths.round(round).globalModel);
      keptBest = best;
    },
    async after(round, best) {
      for (; next <= round - keepRounds; next++) await prune(next, best);
      await forgetBest(best);
    },
  };
}

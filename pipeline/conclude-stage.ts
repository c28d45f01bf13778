/** What is left to do once the rounds are over: the results in their places, the report. */

import { stat } from 'node:fs/promises';
import { isFedbatchError } from '../lib/core/errors.js';
import { placeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { ifWhole } from '../lib/formats/files/json-document.js';
import { clientsOf, type Manifest } from '../lib/formats/manifest.js';
import { type RoundRecord, readRoundRecord } from '../lib/formats/run-record.js';
import { isTestOf, type TestModel, testGlobalModel } from './evaluate-stage.js';
import type { LocalRun } from './local-run.js';
import { holds, type RoundLedger } from './record/round-ledger.js';
import type { GlobalModel } from './rounds/runner.js';
import { shortPath } from './rounds/summary.js';
import type { StageRunner } from './rounds/target.js';
import { tell } from './rounds/telling.js';
import { runStage } from './stage-process.js';

/** The models that a run ends with. */
export interface Results {
  /** Of the last round; its ledger is open. */
  readonly last: GlobalModel;
  /** The one with the highest accuracy, the first of equals. */
  readonly best: GlobalModel;
}

interface ConcludeOptions {
  readonly data: Manifest;
  readonly ledger: RoundLedger;
  readonly test: TestModel;
}

/**
 * Sees to it that the results lie in their places, also where the run had more rounds before, or somebody touched them.
 */
export async function concludeStage(
  run: Pick<LocalRun, 'paths' | 'reporter'>,
  { last, best, data, ledger, test }: Results & ConcludeOptions,
): Promise<void> {
  const { paths } = run;
  await place(last, paths.aggregatedModel);
  await place(best, paths.bestModel);
  // Clients of a simulation leave no models.
  if (data.virtual === undefined)
    await placeClientModels(run, { last: ledger.record, clients: clientsOf(data).length });
  if (!(await isTestOf(paths.accuracy, last))) {
    await testGlobalModel(run, { task: { round: ledger.record.round, global: last }, data, test });
  }
}

async function place({ file, sha256 }: GlobalModel, path: string): Promise<void> {
  if (!(await holds(path, sha256))) await placeFileAtomic(file, path);
}

/** Gives each client the model of the last round in which it reported, whatever was trained again since. */
async function placeClientModels(
  { paths, reporter }: Pick<LocalRun, 'paths' | 'reporter'>,
  { last, clients }: { readonly last: RoundRecord; readonly clients: number },
): Promise<void> {
  const without = new Set(Array.from({ length: clients }, (_, client) => client));
  for (let { round } = last; round > 0 && without.size > 0; round--) {
    const files = paths.round(round);
    const record = round === last.round ? last : await ifWhole(readRoundRecord(files.record));
    for (const { client, sha256 } of record?.reported ?? []) {
      if (!without.delete(client)) continue;
      const [update, model] = [files.update(client), paths.clientModel(client)];
      if ((await isSameFile(update, model)) || (await holds(model, sha256))) continue;
      if (await holds(update, sha256)) await placeFileAtomic(update, model);
      else
        reporter.warn(
          `${shortPath(model)} is not the model that client ${client} reported in round ${round}, and its update is gone.`,
        );
    }
  }
}

/** Whether two names are those of one file. */
async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

/** How long the report of an interrupted run may take: with what its stages have to end, less than its own grace. */
const INTERRUPTED_MS = 4_000;

/** Writes `report.html`. It tells of the records alone and can be made again, so that its failure fails no run. */
export async function reportStage({
  stages = runStage,
  ...run
}: Pick<LocalRun, 'paths' | 'reporter' | 'signal'> & {
  readonly stages?: StageRunner | undefined;
}): Promise<void> {
  const stage = { stage: 'report' } as const;
  // Whoever interrupts a run waits for the end of it, but not for long.
  const signal = run.signal.aborted ? AbortSignal.timeout(INTERRUPTED_MS) : run.signal;
  try {
    await stages(
      { ...stage, program: 'report/cli.js', arguments: ['--volume', run.paths.root] },
      { ...run, signal },
    );
    tell(run, stage, shortPath(run.paths.report));
  } catch (error) {
    if (!isFedbatchError(error)) throw error;
    run.reporter.warn(`no report was written: ${error.message}`);
  }
}

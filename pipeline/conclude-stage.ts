/** What is left to do once the rounds are over: the results in their places. */
import { placeFileAtomic } from '../lib/formats/files/atomic-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { isTestOf, type TestModel, testGlobalModel } from './evaluate-stage.js';
import type { LocalRun } from './local-run.js';
import { holds, type RoundLedger } from './round-ledger.js';
import type { GlobalModel } from './runner.js';

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
  if (!(await isTestOf(paths.accuracy, last))) {
    await testGlobalModel(run, { task: { round: ledger.record.round, global: last }, data, test });
  }
}

async function place({ file, sha256 }: GlobalModel, path: string): Promise<void> {
  if (!(await holds(path, sha256))) await placeFileAtomic(file, path);
}

/** The report of a run: written at its end, also where the run failed. */
import { isFedbatchError } from '../lib/federation/errors.js';
import { type LocalRun, tell } from './local-run.js';
import { runStage } from './stage-process.js';
import { shortPath } from './summary.js';

/** Writes `report.html`. It tells of the records alone and can be made again, so that its failure fails no run. */
export async function reportStage(run: Pick<LocalRun, 'paths' | 'reporter' | 'signal'>): Promise<void> {
  if (run.signal.aborted) return;
  const stage = { stage: 'report' } as const;
  try {
    await runStage({ ...stage, program: 'report/cli.js', arguments: ['--volume', run.paths.root] }, run);
    tell(run, stage, shortPath(run.paths.report));
  } catch (error) {
    if (!isFedbatchError(error)) throw error;
    run.reporter.warn(`no report was written: ${error.message}`);
  }
}

/** The report of a run: written at its end, also where the run failed. */
import { isFedbatchError } from '../lib/core/errors.js';
import { type LocalRun, tell } from './local-run.js';
import { runStage } from './stage-process.js';
import { shortPath } from './summary.js';

/** How long the report of an interrupted run may take: less than the pipeline's own grace lets it. */
const INTERRUPTED_MS = 1_500;

/** Writes `report.html`. It tells of the records alone and can be made again, so that its failure fails no run. */
export async function reportStage(run: Pick<LocalRun, 'paths' | 'reporter' | 'signal'>): Promise<void> {
  const stage = { stage: 'report' } as const;
  // Whoever interrupts a run waits for the end of it, but not for long.
  const signal = run.signal.aborted ? AbortSignal.timeout(INTERRUPTED_MS) : run.signal;
  try {
    await runStage(
      { ...stage, program: 'report/cli.js', arguments: ['--volume', run.paths.root] },
      { ...run, signal },
    );
    tell(run, stage, shortPath(run.paths.report));
  } catch (error) {
    if (!isFedbatchError(error)) throw error;
    run.reporter.warn(`no report was written: ${error.message}`);
  }
}

/** The initial global model of a run on this machine. */
import { z } from 'zod';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { initCommand } from './commands/stage-commands.js';
import { type LocalRun, stopwatch, tell, tellSkipped } from './local-run.js';
import { holds } from './round-ledger.js';
import type { GlobalModel } from './runner.js';
import { executeOne } from './target.js';

/** Makes the seeded initial model, unless round 1 has started from the one that lies there. */
export async function initStage(run: LocalRun): Promise<GlobalModel> {
  const { paths, settings } = run;
  const stage = { stage: 'init' } as const;
  const file = paths.round(1).globalModel;
  const record = await readRoundRecord(paths.round(1).record).catch(() => undefined);
  if (record !== undefined && (await holds(file, record.parent))) {
    tellSkipped(run, stage, `${settings.model.name} model`);
    return { file, sha256: record.parent };
  }
  const { took } = await stopwatch(() =>
    executeOne(run.target, initCommand(run), { ...run, schema: z.unknown() }),
  );
  tell(run, stage, `${settings.model.name} model  ${took}`);
  return { file, sha256: await sha256OfFile(file, 'the initial model') };
}

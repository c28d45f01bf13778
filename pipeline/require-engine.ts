/** Makes sure that an engine which was asked for works here, before a run begins. */

import { settingArguments } from '../lib/settings/arguments.js';
import type { RunSettings } from '../lib/settings/table.js';
import { runStage, type StageContext } from './stage-process.js';

/**
 * Asks the doctor about a choice that leaves no way out; `auto` always finds something, and costs nothing here.
 *
 * @throws {StageError} with the doctor's sentence and exit code 2
 */
export async function requireEngine(engine: RunSettings['engine'], context: StageContext): Promise<void> {
  if (engine.name === 'auto' && engine.backend === undefined) return;
  const program = 'doctor/cli.js';
  await runStage(
    { stage: 'doctor', program, arguments: ['--quick', '--json', ...settingArguments('doctor', { engine })] },
    context,
  );
}

/** `fedbatch tensorboard`: the event files of a run that was not asked for them, from its records. */
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { LATEST, RUN_ARGUMENT, RUNS, volumePaths } from '../../lib/formats/volume.js';

/** The command. */
export function tensorboardCli({ reporter }: ProgramContext): Command {
  return new Command('tensorboard')
    .description(
      'Write event files for TensorBoard from the records of a run, as run --tensorboard does while it runs. What is ' +
        'there already stays, and is not written twice.',
    )
    .argument('[run]', RUN_ARGUMENT, LATEST)
    .option('--in <folder>', `folder in which names and ids are looked for (default: ${RUNS})`)
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch tensorboard\n  npx fedbatch tensorboard runs/digits-3x2-1a2b3c4d',
    )
    .action(async (run: string, { in: folder }: { readonly in?: string }) => {
      const warn = (message: string) => reporter.warn(message);
      const { findVolume } = await import('../../lib/formats/runs/find-run.js');
      const volume = await findVolume(run, { folder, warn });
      const { createRunLogs } = await import('./run-logs.js');
      const { takeLock } = await import('../../lib/formats/files/lock-file.js');
      const { readRunRecord } = await import('../../lib/formats/run-record.js');
      const paths = volumePaths(resolve(volume));
      await readRunRecord(paths.run);
      const lock = await takeLock(join(paths.root, '.lock'), { what: volume, user: 'run' });
      try {
        const rounds = await createRunLogs(paths).catchUp();
        reporter.info(
          `${rounds === 1 ? '1 round was' : `${rounds} rounds were`} added to ${volumePaths(volume).logs}.`,
        );
      } finally {
        lock.release();
      }
      reporter.close();
      process.stdout.write(`tensorboard --logdir ${volumePaths(volume).logs}\n`);
    });
}

if (isMain(import.meta.url)) await runProgram(tensorboardCli, process.argv.slice(2));

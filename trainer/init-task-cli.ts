/** `fedbatch init-task`: writes an example of a task, to begin one's own from. */
import { writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Command } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { makeDirectory, storageError } from '../lib/formats/files/atomic-file.js';
import { exampleTask } from '../lib/task-file/example-task.js';
import { isTaskName, readsTypeScript, TASK_ENDINGS } from '../lib/task-file/task-module.js';

/** Writes the example, unless something lies there. */
export function initTaskCli({ reporter }: ProgramContext): Command {
  return new Command('init-task')
    .description('Write an example of a task (model, loss, preprocessing), to begin your own from.')
    .argument(
      '[file]',
      `where it goes (${TASK_ENDINGS.join(', ')}; default: task.ts, or task.js where Node reads no TypeScript)`,
    )
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch init-task
  npx fedbatch init-task digits.js && npx fedbatch run --task ./digits.js --rounds 1`,
    )
    .action(async (given: string | undefined) => {
      const file = given ?? (readsTypeScript() ? 'task.ts' : 'task.js');
      if (!isTaskName(file)) {
        throw new UsageError(`${file}: expected a name that ends in ${TASK_ENDINGS.join(', ')}.`);
      }
      await write(file, exampleTask(basename(file)));
      reporter.info(`Wrote ${file}: npx fedbatch run --task ./${file} --rounds 1 trains it on the digits.`);
      tellResult({ file });
    });
}

/** @throws {UsageError} when something lies there @throws {StorageError} when the disk refuses */
async function write(file: string, text: string): Promise<void> {
  try {
    await makeDirectory(dirname(file));
    await writeFile(file, text, { flag: 'wx' });
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST')
      throw new UsageError(`${file}: it is there already; name another file.`, { cause });
    throw storageError(file, cause);
  }
}

if (isMain(import.meta.url)) await runProgram(initTaskCli, process.argv.slice(2));

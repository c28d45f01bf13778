/** A SavedModel, which TensorFlow itself writes: a Python with it runs our script on the `.keras` file. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { StageError, UsageError } from '../lib/core/errors.js';
import { writeFileAtomic, writeFolderAtomic } from '../lib/formats/files/atomic-file.js';
import { withScratchDirectory } from '../lib/formats/files/scratch-file.js';
import { cannotHold, type ExportFormat } from './format.js';
import { encodeForKeras } from './keras.js';

// A copy lies beside the compiled file, too.
const SCRIPT = fileURLToPath(new URL('./export_savedmodel.py', import.meta.url));

/** How the script says what was amiss. */
const [NO_TENSORFLOW, NO_MODEL] = [3, 4];

const title = 'a SavedModel';

/** A folder: saved_model.pb, variables, and the facts in assets.extra. */
export const savedmodel: ExportFormat = {
  title,
  ending: '-savedmodel',
  isFolder: true,
  marker: 'assets.extra/fedbatch.json',
  async prepare(exported, context) {
    const { facts, python, reporter, signal } = context;
    const bytes = await encodeForKeras(exported, context);
    return (path) =>
      writeFolderAtomic(path, (folder) =>
        withScratchDirectory('export', async (beside) => {
          const [model, told] = [join(beside, 'model.keras'), join(beside, 'facts.json')];
          await writeFileAtomic(model, bytes);
          await writeFileAtomic(told, JSON.stringify(facts));
          reporter.info('TensorFlow writes the SavedModel, which takes some seconds.');
          await runScript([model, folder, told]);
        }),
      );

    async function runScript(args: readonly string[]): Promise<void> {
      const { failed, code, exitCode, stderr } = await execa(python, [SCRIPT, ...args], {
        reject: false,
        cancelSignal: signal,
      });
      signal.throwIfAborted();
      if (!failed) return;
      const said = stderr?.trim().split('\n').at(-1) || `it ended with exit code ${exitCode}`;
      if (exitCode === undefined || exitCode === NO_TENSORFLOW) {
        const why = exitCode === undefined ? `cannot be started (${code})` : `has no TensorFlow (${said})`;
        throw new UsageError(
          `A SavedModel is written by Python with TensorFlow, and ${python} ${why}: pip install tensorflow, or name another one by --python.`,
        );
      }
      if (exitCode === NO_MODEL) {
        const advice = '--to onnx and --to keras may hold it.';
        throw cannotHold(exported, { title, reason: `its Keras does not open it (${said})`, advice });
      }
      throw new StageError('export', `${python} did not write the SavedModel: ${said}`);
    }
  },
};

/** Models as files, exported as the program does it. */
import { join } from 'node:path';
import { callExport, FORMATS } from '../export/call.js';
import type { FormatName } from '../export/format.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig, writtenVersion } from '../lib/model/keras/keras-model.js';
import type { Model } from '../lib/model/model-description.js';
import { silentReporter } from '../lib/observability/events.js';

/** What stays the same in all exports of a test. */
const QUIET = { reporter: silentReporter, signal: new AbortController().signal };

/** The file of a model, as fedbatch writes it. */
export const fileOf = ({ description, weights }: Model): KerasFile => ({
  modelConfig: kerasConfig(description),
  weights,
  kerasVersion: writtenVersion(description),
});

/** Writes a model file into a directory and exports it beside that. */
export async function exportFile(
  file: KerasFile,
  to: FormatName,
  {
    directory,
    name = 'model',
    python = 'python3',
  }: {
    readonly directory: string;
    readonly name?: string;
    readonly python?: string;
  },
): Promise<{ readonly output: string; readonly facts: ExportedFacts }> {
  const model = join(directory, `${name}.h5`);
  await writeKerasFile(model, file);
  const output = join(directory, `${name}${FORMATS[to].ending}`);
  const { facts } = await callExport({ model, to, output, card: false, python }, QUIET);
  return { output, facts };
}

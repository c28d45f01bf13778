/** A model for other programs, as a call. */
import type { FormatName } from '../export/format-names.js';
import type { ExportResult } from '../lib/formats/export-result.js';
import { type CallOptions, call } from './call.js';
import { askedBy } from './settings.js';

/** Which model to write, in which format. */
export interface ExportCall extends CallOptions {
  /** A model file, or a run: its volume, name or id below runs/. */
  readonly model: string;
  /** The format; without one, the card alone is written. */
  readonly to?: FormatName | undefined;
  /** The file or folder to write; by default in the working directory, called after the run or the model. */
  readonly output?: string | undefined;
  /** Whether a model card in Markdown is written, too. */
  readonly card?: boolean | undefined;
  /** A Python with TensorFlow, which writes SavedModels; `python3` by default. */
  readonly python?: string | undefined;
}

/**
 * Writes a model in the format of another program, with what is known of it, or its card, or both.
 *
 * @throws {UsageError} naming what the format cannot hold; nothing is written then
 * @throws {DataError} when there is no such model
 */
export function exportModel(options: ExportCall): Promise<ExportResult> {
  return call(options, async (context) => {
    const { callExport } = await import('../export/call.js');
    askedBy(options, [], { takes: ['model', 'to', 'output', 'card', 'python'], needs: ['model'] });
    const { model, to, output, card = false, python = 'python3' } = options;
    return callExport({ model, to, output, card, python }, context);
  });
}

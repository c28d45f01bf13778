/** The exporter as a call: which model, which format → what was written. The program and the library make it. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { UsageError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import type { ExportResult } from '../lib/formats/export-result.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { findModel } from '../lib/formats/runs/find-run.js';
import { LATEST } from '../lib/formats/volume.js';
import { formatBytes } from '../lib/observability/format.js';
import { modelCard } from './card.js';
import { type ExportedModel, readExportedModel } from './exported-model.js';
import { factsOf } from './facts.js';
import type { ExportContext, ExportFormat, FormatName } from './format.js';
import { keras } from './keras.js';
import { onnx } from './onnx.js';
import { safetensors } from './safetensors.js';
import { savedmodel } from './savedmodel.js';
import { tfjs } from './tfjs.js';

/** What each is to the exporter. */
export const FORMATS: Readonly<Record<FormatName, ExportFormat>> = {
  onnx,
  savedmodel,
  tfjs,
  safetensors,
  keras,
};

/** What to write of which model. */
export interface ExportRequest {
  /** A model file, or a run: its volume, name or id below runs/; by default the last run. */
  readonly model?: string | undefined;
  readonly to?: FormatName | undefined;
  readonly output?: string | undefined;
  /** Whether a model card is written, too. */
  readonly card: boolean;
  /** The program of Python, for formats that need one. */
  readonly python: string;
}

/**
 * Writes a model in a format, its card, or both.
 *
 * @throws {UsageError} for what the format cannot hold, or a place where something else lies; nothing is written then
 * @throws {DataError} when there is no such model
 */
export async function callExport(
  { model, to, output, card, python }: ExportRequest,
  { reporter, signal }: Pick<ExportContext, 'reporter' | 'signal'>,
): Promise<ExportResult> {
  if (to === undefined && !card)
    throw new UsageError('Nothing is to be written: choose a format with --to, or a model card with --card.');
  const path = await findModel(model ?? LATEST, { warn: (message) => reporter.warn(message) });
  const exported = await readExportedModel(path);
  const facts = factsOf(exported);
  const format = to === undefined ? undefined : FORMATS[to];
  const place = output ?? `${nameOf(exported)}${format?.ending ?? '.md'}`;
  if (format !== undefined) await requirePlace(place, format);
  const write = await format?.prepare(exported, { facts, python, reporter, signal });
  const stem = format?.isFolder === true ? place : withoutEnding(place);
  const cardPath = format === undefined ? place : `${stem}.md`;
  const text = card ? modelCard(exported, facts, { to, file: basename(place) }) : '';
  signal.throwIfAborted();
  await write?.(place);
  if (card) await writeFileAtomic(cardPath, text);
  const size = write === undefined ? undefined : await sizeOn(place);
  if (size !== undefined) reporter.info(`Wrote ${place} (${formatBytes(size)}).`);
  if (card) reporter.info(`Wrote the model card ${cardPath}.`);
  return {
    ...(to === undefined ? {} : { to, output: place }),
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(card ? { card: cardPath } : {}),
    facts,
  };
}

/** Of a run's last global model the run's name, else that of the file. */
function nameOf({ path, origin }: ExportedModel): string {
  const stem = withoutEnding(basename(path));
  return stem === 'aggregated-model' && origin !== undefined ? origin.records.run.id : stem;
}

const withoutEnding = (path: string) => path.slice(0, path.length - extname(path).length);

/** @throws {UsageError} where the name says another format, or a folder lies there that no export of this format made */
async function requirePlace(place: string, { title, ending, isFolder, marker }: ExportFormat): Promise<void> {
  if (isFolder !== true) {
    if (place.endsWith(ending)) return;
    throw new UsageError(`--output ${place}: the name of ${title} ends in ${ending}.`);
  }
  const names = await readdir(place).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw new UsageError(`--output ${place}: ${title} is a folder, and something else lies there.`);
  });
  if (names.length === 0) return;
  const made = await readFile(join(place, marker ?? ''), 'utf8').catch(() => '');
  if (/"producer": ?"fedbatch /.test(made)) return;
  throw new UsageError(
    `--output ${place}: other files lie in this folder, which ${title} would replace; name another one.`,
  );
}

async function sizeOn(path: string): Promise<number> {
  const facts = await stat(path);
  if (facts.isFile()) return facts.size;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => sizeOn(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

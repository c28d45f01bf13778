/** `fedbatch dataset import`: what data are understood to be, and the npz and the description that are made of them. */
import { dirname, relative, resolve } from 'node:path';
import { DataError, UsageError } from '../lib/core/errors.js';
import type { DatasetRows } from '../lib/federation/example-rows.js';
import { describeAllTargets, describeInputs, exampleCount } from '../lib/federation/examples.js';
import { datasetOf } from '../lib/formats/data/dataset.js';
import { shellWord } from '../lib/formats/data/mending-lines.js';
import { type ArrayInPieces, writeNpzInPieces } from '../lib/formats/data/streamed/npz-writer.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { exists } from '../lib/formats/files/read-file.js';
import { ScratchFile } from '../lib/formats/files/scratch-file.js';
import { type DataDescription, describeLine, descriptionText } from '../lib/formats/sources/description.js';
import { findData } from '../lib/formats/sources/registry.js';
import type { DataReading, FirstLook, FoundData, ReadData } from '../lib/formats/sources/source-kind.js';
import type { ColumnFacts, ImportResult, Understanding } from '../lib/formats/sources/understanding.js';
import type { Reporter } from '../lib/observability/events.js';

/** What to look at, and what to write of it. */
interface ImportRequest extends FirstLook {
  readonly source: string;
  /** The dataset to write. */
  readonly npz?: string | undefined;
  /** The description to write; with a dataset, one beside it where the source is no description itself. */
  readonly yaml?: string | undefined;
}

/**
 * Looks at data and, where files are asked for, writes them: all that may fail comes before.
 *
 * @throws {DataError} for data that cannot be read, with the file and the line
 * @throws {UsageError} for what is a dataset already, and files in the way
 */
export async function importData(
  { source, npz, yaml, ...look }: ImportRequest,
  { reporter }: { readonly reporter: Reporter },
): Promise<ImportResult> {
  const found = await findImportable(source);
  const scratch = new ScratchFile(dirname(resolve(npz ?? source)));
  const reading: DataReading = {
    // Without a dataset to write nothing is written at all.
    ...(npz === undefined ? { leavesInputs: true } : { scratch }),
    onProgress: (progress) => reporter.progress({ stage: 'read', ...progress }),
  };
  try {
    const seen = await found.survey?.(look, reading);
    const description = seen?.understanding.description;
    const describedIn = description && (yaml ?? (npz && withEnding(npz, '.yaml')));
    if (yaml !== undefined && describedIn === undefined)
      throw new UsageError(`${source} (${found.title}) has nothing to describe: leave out --yaml.`);
    const names = npz && withEnding(npz, '.labels.txt');
    for (const file of [npz, describedIn, names]) if (file !== undefined) await requireFree(file);
    const problem = seen?.understanding.problems[0];
    if (npz !== undefined && problem !== undefined) {
      // The whole data are refused by their own sentence, which says what to type.
      await seen?.read();
      throw new UsageError(`${source} cannot be written yet: ${problem}.`);
    }
    const tell = (note: string) => reporter.info(note);
    const read = problem === undefined ? await (seen?.read() ?? found.read({ ...reading, tell })) : undefined;
    const whole = read && {
      read,
      dataset: await datasetOf(read.arrays, source, { ...reading, targets: read.targets }),
    };
    if (npz !== undefined && read?.facts.means !== undefined) {
      throw new UsageError(
        `${source}: missing: mean is the mean over the clients of a split, and an npz would lack these numbers: give the ` +
          'description to split or run with --data, or name numbers under missing.',
      );
    }
    if (npz !== undefined && read !== undefined) await writeNpz(npz, read);
    const classNames = names === undefined ? undefined : read?.facts.classNames;
    // An npz holds numbers: `serve --labels` wants the names, one a line.
    if (names !== undefined && classNames !== undefined)
      await writeFileAtomic(
        names,
        classNames.map((name) => name.replaceAll(/\s*[\r\n]+\s*/g, ' ')).join('\n'),
      );
    if (description !== undefined && describedIn !== undefined)
      await writeDescription(describedIn, description);
    return {
      title: found.title,
      files: found.files,
      ...(seen?.understanding ?? plainFacts(whole?.dataset)),
      ...(whole === undefined ? {} : summaryOf(whole)),
      ...(npz === undefined ? {} : { npz }),
      ...(classNames === undefined ? {} : { labels: names }),
      ...(describedIn === undefined ? {} : { yaml: describedIn }),
    };
  } finally {
    scratch.close();
  }
}

/** @throws {DataError} where nothing lies there or nothing that is known @throws {UsageError} for an npz */
async function findImportable(source: string): Promise<FoundData> {
  const found = await findData(source);
  if (found !== undefined) return found;
  const isThere = await exists(source);
  if (isThere && source.endsWith('.npz'))
    throw new UsageError(`${source} is an npz already: --data ${shellWord(source)} takes it as it is.`);
  const expected = 'a table (CSV, Parquet), pictures in a folder for each class, IDX files, or a data.yaml';
  throw new DataError({ file: source, expected, found: isThere ? 'something else' : 'no such file' });
}

/** The facts about data that nobody needs to describe. */
function plainFacts({ train, test }: Partial<DatasetRows> = {}): Understanding {
  const parts = [train, test].filter((part) => part !== undefined);
  return { examples: parts.reduce((sum, part) => sum + exampleCount(part), 0), problems: [], notes: [] };
}

/** Data as they were read, and as a split takes them. */
interface CheckedData {
  readonly read: ReadData;
  readonly dataset: DatasetRows;
}

function summaryOf({ read: { facts }, dataset: { train, test } }: CheckedData) {
  const tested = test === undefined ? '' : `, and ${exampleCount(test)} for the test`;
  return {
    inputs: `${exampleCount(train)} examples${tested}: ${describeInputs(train)}; targets: ${describeAllTargets(train)}`,
    ...(facts.classNames === undefined ? {} : { classes: facts.classNames }),
  };
}

/** Somebody may have edited it. */
async function requireFree(file: string): Promise<void> {
  if (await exists(file)) throw new UsageError(`${file} is there already: name another file, or remove it.`);
}

async function writeNpz(file: string, { arrays }: ReadData): Promise<void> {
  const named: ArrayInPieces[] = [];
  for (const name of arrays.names) named.push({ name, ...(await arrays.rows(name)) } as ArrayInPieces);
  await writeNpzInPieces(file, named);
}

/** `sales.npz` → `sales.yaml`. */
function withEnding(npz: string, ending: string): string {
  return `${npz.replace(/\.npz$/, '')}${ending}`;
}

async function writeDescription(file: string, description: DataDescription): Promise<void> {
  const source = relative(dirname(resolve(file)), resolve(description.source)) || '.';
  await writeFileAtomic(file, await descriptionText({ ...description, source }));
}

/** The same for people, with what to type next. */
export function importText(result: ImportResult, source: string): string {
  const { title, files, examples, columns = [], description, problems, notes, inputs, classes } = result;
  // A data.yaml is the source, and no file of the data.
  const { length } = files.filter((file) => file !== source);
  const count = length > 1 ? `${title}, ${length} files` : title;
  const lines = [`${source}: ${count}, ${examples} examples`];
  const widest = columns.reduce((most, { name }) => Math.max(most, name.length), 0);
  for (const column of columns) lines.push(`  ${column.name.padEnd(widest)}  ${columnText(column)}`);
  if (description?.kind === 'table') {
    lines.push(`target: ${description.target.column}, taken as ${description.target.as}`);
    if (description.client !== undefined) lines.push(`client: ${description.client}`);
  }
  if (classes !== undefined) lines.push(`classes: ${shortened(classes)}`);
  if (inputs !== undefined) lines.push(inputs);
  lines.push(
    ...notes.map((note) => `note: ${note}`),
    ...problems.map((problem) => `to be settled: ${problem}`),
  );
  if (result.npz !== undefined) lines.push(`wrote ${result.npz}`);
  if (result.yaml !== undefined) lines.push(`wrote ${result.yaml}`);
  if (result.labels !== undefined) lines.push(`wrote ${result.labels}, for serve --labels`);
  return [...lines, ...nextStep(result, source)].join('\n');
}

function nextStep({ npz, yaml, description, problems }: ImportResult, source: string): readonly string[] {
  if (npz !== undefined) return [];
  const word = shellWord(source);
  if (yaml !== undefined) return [`Edit it, and train with: npx fedbatch run --data ${shellWord(yaml)}`];
  if (description !== undefined && problems.length > 0)
    return [`To settle it, write a description and edit it: ${describeLine(source)}`];
  return [
    `Nothing was written. To train: npx fedbatch run --data ${word}. To write an npz: npx fedbatch dataset import ${word} --out FILE.npz`,
  ];
}

function columnText({ type, missing, least, most, mean, texts }: ColumnFacts): string {
  const round = (value = 0) => `${Number(value.toPrecision(6))}`;
  const range = type === 'number' ? `  ${round(least)} … ${round(most)}, mean ${round(mean)}` : '';
  const different = texts === undefined ? '' : `  ${texts} different`;
  return `${type.padEnd(6)}${range}${different}${missing === 0 ? '' : `, ${missing} missing`}`;
}

const MOST_NAMES = 12;

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${shown}, … (${names.length})` : shown;
}

/** `fedbatch dataset import`: what data are understood to be, and the npz and the description that are made of them. */
import { dirname, relative, resolve } from 'node:path';
import { DataError, UsageError } from '../lib/core/errors.js';
import {
  type Dataset,
  describeAllTargets,
  describeInputs,
  exampleCount,
} from '../lib/federation/examples.js';
import { datasetOf } from '../lib/formats/data/dataset.js';
import { shellWord } from '../lib/formats/data/mending-lines.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { exists } from '../lib/formats/files/read-file.js';
import { type DataDescription, describeLine, descriptionText } from '../lib/formats/sources/description.js';
import { findData } from '../lib/formats/sources/registry.js';
import type { FirstLook, FoundData, ReadData } from '../lib/formats/sources/source-kind.js';
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
  const seen = await found.survey?.(look);
  const description = seen?.description;
  const describedIn = description && (yaml ?? (npz && withEnding(npz, '.yaml')));
  if (yaml !== undefined && describedIn === undefined)
    throw new UsageError(`${source} (${found.title}) has nothing to describe: leave out --yaml.`);
  const names = npz && withEnding(npz, '.labels.txt');
  for (const file of [npz, describedIn, names]) if (file !== undefined) await requireFree(file);
  const problem = seen?.problems[0];
  if (npz !== undefined && problem !== undefined) {
    // The whole data are refused by their own sentence, which says what to type.
    await found.read({});
    throw new UsageError(`${source} cannot be written yet: ${problem}.`);
  }
  const described = description && found.describedBy ? found.describedBy(description) : found;
  const whole = problem === undefined ? await readChecked(described, { source, reporter }) : undefined;
  if (npz !== undefined && whole !== undefined) await writeNpz(npz, whole.read);
  const classNames = names === undefined ? undefined : whole?.read.facts.classNames;
  // An npz holds numbers: `serve --labels` wants the names.
  if (names !== undefined && classNames !== undefined) await writeFileAtomic(names, classNames.join('\n'));
  if (description !== undefined && describedIn !== undefined)
    await writeDescription(describedIn, description);
  return {
    title: found.title,
    files: found.files,
    ...(seen ?? plainFacts(whole?.dataset)),
    ...(whole === undefined ? {} : summaryOf(whole)),
    ...(npz === undefined ? {} : { npz }),
    ...(classNames === undefined ? {} : { labels: names }),
    ...(describedIn === undefined ? {} : { yaml: describedIn }),
  };
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
function plainFacts({ train, test }: Partial<Dataset> = {}): Understanding {
  const parts = [train, test].filter((part) => part !== undefined);
  return { examples: parts.reduce((sum, part) => sum + exampleCount(part), 0), problems: [], notes: [] };
}

/** Data as they were read, and as a split takes them. */
interface CheckedData {
  readonly read: ReadData;
  readonly dataset: Dataset;
}

/** @throws {DataError} as a split of them would */
async function readChecked(
  data: FoundData,
  { source, reporter }: { readonly source: string; readonly reporter: Reporter },
): Promise<CheckedData> {
  const read = await data.read({
    tell: (note) => reporter.info(note),
    onProgress: (progress) => reporter.progress({ stage: 'read', ...progress }),
  });
  return { read, dataset: datasetOf(read.arrays, source, { targets: read.targets }) };
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
  const named = arrays.names.map((name) => ({ name, ...arrays.read(name) }) as NamedArray);
  await writeFileAtomic(file, await encodeNpz(named));
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
  const count = files.length === 1 ? title : `${title}, ${files.length} files`;
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
  return `${lines.join('\n')}\n${nextStep(result, source)}`;
}

function nextStep({ npz, yaml, description, problems }: ImportResult, source: string): string {
  if (npz !== undefined) return '';
  const word = shellWord(source);
  if (yaml !== undefined) return `Edit it, and train with: npx fedbatch run --data ${shellWord(yaml)}\n`;
  if (description !== undefined && problems.length > 0)
    return `To settle it, write a description and edit it: ${describeLine(source)}\n`;
  return `Nothing was written. To train: npx fedbatch run --data ${word}. To write an npz: npx fedbatch dataset import ${word} --out FILE.npz\n`;
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

/** What a split finds in its data and tells: the scale of images, labels that do not begin at 0, and what the manifest says of inputs and targets. */
import {
  type DatasetRows,
  type ExampleRows,
  type InputRows,
  tokensOfRows,
} from '../lib/federation/example-rows.js';
import { type Examples, imageShape, isImageForm, labelsIn, targetKind } from '../lib/federation/examples.js';
import type { PartitionSettings } from '../lib/federation/partition/settings.js';
import {
  describeScale,
  findScaleOfRows,
  formatScale,
  type PixelScale,
  requireChannels,
} from '../lib/federation/pixel-scale.js';
import type { OwnedDataset } from '../lib/formats/data/dataset-source.js';
import { numberClassesLine } from '../lib/formats/data/mending-lines.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { DATA_NOTE, type Reporter } from '../lib/observability/events.js';
import {
  type ClientInputs,
  constantColumns,
  type InputStatistics,
  inputStatistics,
  type StatisticsWanted,
  targetStatistics,
} from './statistics.js';

/** Which data they are, what is said of them, and who hears of it. */
interface ToldOptions {
  readonly data: string;
  readonly scale?: PixelScale | undefined;
  readonly partition: PartitionSettings;
  readonly reporter: Reporter;
}

/** The scale of all training images, given or found, and says which it is. @throws {UsageError} for other channels */
export async function tellScale(
  train: ExampleRows,
  options: ToldOptions,
): Promise<Pick<Image, 'scale' | 'scaleIsGiven'>> {
  const { data, scale, reporter } = options;
  if (scale !== undefined) {
    checkScale(train, options);
    return { scale: formatScale(scale), scaleIsGiven: true };
  }
  const images = imageRowsIn(train);
  if (images === undefined) return {};
  const finding = await findScaleOfRows(images);
  if (finding.kind === 'unknown') {
    reporter.warn(
      `${data}: the pixels are numbers from ${finding.least} to ${finding.most}, and which of them are black and white ` +
        'is not known: the server will show the model pictures from 0 to 1. Name the two with --scale, such as ' +
        `--scale ${finding.least}..${finding.most}, or store uint8.`,
    );
  }
  if (finding.kind !== 'found') return {};
  const text = formatScale(finding.scale);
  reporter.info(
    `pixels ${describeScale(finding.scale)}: taken as black and white, which the model file will say (--scale names others)`,
    DATA_NOTE,
  );
  return { scale: text };
}

type Image = NonNullable<Manifest['image']>;

/** The images, where examples are these and nothing else. */
const imageRowsIn = ({ inputs: [input, ...others] }: ExampleRows): InputRows | undefined =>
  others.length === 0 && isImageForm(input) ? input : undefined;

/** @throws {UsageError} for a scale of other channels than the images have */
export function checkScale(train: ExampleRows, { data, scale }: Pick<ToldOptions, 'data' | 'scale'>): void {
  if (scale === undefined) return;
  const images = imageRowsIn(train);
  requireChannels(scale, images && imageShape(images)[2], data);
}

/** What inputs and targets are, as the manifest has it. */
export function describeData(
  dataset: OwnedDataset,
  {
    classes,
    scale,
    statistics = { inputs: {} },
  }: {
    readonly classes: number | undefined;
    readonly scale: Pick<Image, 'scale' | 'scaleIsGiven'>;
    readonly statistics?: DataStatistics;
  },
): Pick<Manifest, 'classes' | 'classNames' | 'target' | 'targets' | 'outputs' | 'image' | 'inputs'> {
  const { train, facts: told = {} } = dataset;
  const { inputs } = train;
  const images = imageRowsIn(train);
  const facts = inputs.map(({ name, shape, dtype }) => ({
    name,
    shape: shape.slice(1),
    dtype,
    ...belowOf(name, dataset),
    ...told.inputs?.[name],
    ...statistics.inputs[name],
  }));
  return {
    ...describeOutputs(train, { classes, statistics: statistics.targets }),
    ...(classes === undefined || told.classNames === undefined ? {} : { classNames: [...told.classNames] }),
    ...(told.target === undefined ? {} : { target: told.target }),
    ...(images === undefined
      ? { inputs: facts }
      : {
          image: { shape: images.shape.slice(1), dtype: images.dtype as Image['dtype'], ...scale },
        }),
  };
}

/** What the numbers of a sequence are below, where they may stand for something. */
function belowOf(name: string, { train, test }: DatasetRows): { readonly below?: number } {
  const parts = [train, ...(test === undefined ? [] : [test])].flatMap(({ inputs }) =>
    inputs.filter((input) => input.name === name),
  );
  const ends = parts.map(tokensOfRows);
  return ends.includes(undefined) ? {} : { below: Math.max(...(ends as readonly number[])) };
}

function describeOutputs(
  { targets }: Pick<Examples, 'targets'>,
  {
    classes,
    statistics,
  }: { readonly classes: number | undefined; readonly statistics: DataStatistics['targets'] },
): Pick<Manifest, 'classes' | 'targets' | 'outputs'> {
  if (classes !== undefined) return { classes };
  const outputs = targets.map((each) => ({
    name: each.name,
    kind: targetKind(each),
    shape: each.shape.slice(1),
  }));
  const [{ kind, shape }, ...others] = outputs as [(typeof outputs)[0], ...typeof outputs];
  const isPlain = others.length === 0 && shape.length === 1 && kind !== 'labels';
  if (!isPlain) return { outputs };
  return { targets: { kind, size: shape[0] as number, ...(statistics === undefined ? {} : { statistics }) } };
}

/** Classes without examples cost little, but a model of 11 classes for 10 digits is seldom meant. */
export function tellFirstLabel(train: ExampleRows, { data, partition, reporter }: ToldOptions): void {
  const labels = labelsIn(train);
  if (labels === undefined) return;
  const first = labels.reduce((least, label) => Math.min(least, label));
  if (first === 0) return;
  const line = numberClassesLine(data);
  // A directory of shards is no file that one line mends.
  const mend =
    partition.scheme === 'given' || line === undefined ? '' : ` To number the classes from 0: ${line}`;
  reporter.warn(
    `${data}: the labels begin at ${first}, and every number from 0 to the largest of them counts as a class.${mend}`,
  );
}

/** The statistics of inputs, by their names, and of targets. */
interface DataStatistics {
  readonly inputs: Readonly<Record<string, InputStatistics>>;
  readonly targets?: InputStatistics['statistics'];
}

/** The statistics of inputs and targets, with a word on columns that say nothing. */
export async function tellStatistics(
  dataset: OwnedDataset,
  clients: ClientInputs,
  options: ToldOptions & StatisticsWanted,
): Promise<DataStatistics> {
  const statistics = await inputStatistics(dataset, clients, options);
  const inputs = dataset.train.inputs.map(({ name }) => ({
    name,
    columns: dataset.facts?.inputs?.[name]?.columns,
    ...statistics[name],
  }));
  const constant = constantColumns(inputs);
  if (constant.length > 0) {
    const [what, says] =
      constant.length === 1 ? ['the column', 'has one value'] : ['the columns', 'have one value each'];
    options.reporter.warn(
      `${options.data}: ${what} ${constant.slice(0, MOST_NAMED).join(', ')}${constant.length > MOST_NAMED ? ', …' : ''} ` +
        `${says} in all training examples, which tells a model nothing: a new model is given 0.`,
    );
  }
  return { inputs: statistics, targets: await targetStatistics(dataset, clients, options) };
}

/** Columns that a message names. */
const MOST_NAMED = 10;

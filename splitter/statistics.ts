/** Statistics of a split's inputs: what each client tells of its own examples, merged, for manifest and model. */
import { DataError, UsageError } from '../lib/core/errors.js';
import { sizeOf } from '../lib/core/weights.js';
import type { InputRows } from '../lib/federation/example-rows.js';
import { type DataFacts, type ExampleValues, isImageForm, targetKind } from '../lib/federation/examples.js';
import {
  binsBetween,
  createHistograms,
  type Histogram,
  mergeHistograms,
  publicHistogram,
} from '../lib/federation/histogram.js';
import {
  type CategoryStatistics,
  createCategoryStatistics,
  createMerger,
  createNumberStatistics,
  describeFeatures,
  featuresOf,
  type NumberStatistics,
  withheldOf,
} from '../lib/federation/statistics.js';
import type { OwnedDataset } from '../lib/formats/data/dataset-source.js';
import { featureNames } from '../lib/formats/keras/data-names.js';
import type { Manifest } from '../lib/formats/manifest.js';

/** The clients' examples, in pieces of whole ones. */
export interface ClientInputs {
  readonly clients: number;
  /** What the client with this number has of the input at this place, or of the first targets. */
  pieces(client: number, array: number | 'targets'): Iterable<ExampleValues> | AsyncIterable<ExampleValues>;
}

/** What statistics are wanted. */
export interface StatisticsWanted {
  /** Path of the data, for messages. */
  readonly data: string;
  /** Whether they are wanted; without it, where the data are a table. */
  readonly normalize?: 'on' | 'off' | undefined;
  /** Clients that have to stand behind each of them; 1 by default. */
  readonly minClientsPerStatistic?: number | undefined;
  /** Of a histogram of each number; without it there is none. */
  readonly histogramBins?: number | undefined;
}

type InputDescription = NonNullable<Manifest['inputs']>[number];

/** What the manifest says of an input's numbers. */
export type InputStatistics = Pick<InputDescription, 'statistics' | 'counts'>;

/** What is told of its own examples by one client after the other. */
interface Teller<S> {
  add(piece: ExampleValues): void;
  told(): S;
}

/** What all clients tell together of the input at this place, or of the first targets. */
async function mergedOf<S extends NumberStatistics | CategoryStatistics>(
  array: number | 'targets',
  { clients, pieces }: ClientInputs,
  { create, fewest }: { readonly create: () => Teller<S>; readonly fewest: number },
): Promise<S> {
  const merger = createMerger<S>(fewest);
  for (let client = 0; client < clients; client++) {
    const own = create();
    for await (const piece of pieces(client, array)) own.add(piece);
    merger.add(own.told());
  }
  return merger.merged() ?? create().told();
}

/** The statistics of each input, by its name; none where they are not wanted. @throws {DataError} for numbers too large for a model */
export async function inputStatistics(
  { train, facts }: OwnedDataset,
  inputs: ClientInputs,
  { data, normalize, minClientsPerStatistic: fewest = 1, histogramBins: bins }: StatisticsWanted,
): Promise<Readonly<Record<string, InputStatistics>>> {
  const found: Record<string, InputStatistics> = {};
  if (normalize === 'off') return found;
  for (const [at, input] of train.inputs.entries()) {
    const { columns, categories } = facts?.inputs?.[input.name] ?? {};
    if (categories !== undefined) {
      const { counts } = await mergedOf(at, inputs, { create: createCategoryStatistics, fewest });
      const withheld = withheldOf(counts, fewest);
      found[input.name] = {
        counts: Array.from({ length: categories.length + 1 }, (_, each) =>
          withheld.has(each) ? null : (counts.get(each)?.values ?? 0),
        ),
      };
    } else if (isScalable(input) && (columns !== undefined || normalize === 'on')) {
      const names = featureNames({ name: input.name, columns }, featuresOf(input));
      found[input.name] = { statistics: await numberStatistics(names, at, { data, inputs, fewest, bins }) };
    }
  }
  return found;
}

/** Those of the targets, where they are numbers of one output and statistics are wanted. */
export async function targetStatistics(
  dataset: OwnedDataset,
  inputs: ClientInputs,
  { data, normalize, minClientsPerStatistic: fewest = 1, histogramBins: bins }: StatisticsWanted,
): Promise<InputStatistics['statistics']> {
  const [targets, ...others] = dataset.train.targets;
  const isWanted = normalize === 'on' || (normalize === undefined && isTable(dataset));
  if (!isWanted || others.length > 0 || targetKind(targets) !== 'numbers' || targets.shape.length !== 2)
    return undefined;
  const names = featureNames({ name: targets.name }, targets.shape[1] as number);
  return numberStatistics(names, 'targets', { data, inputs, fewest, bins });
}

interface Merging {
  /** Path of the data, for messages. */
  readonly data: string;
  readonly inputs: ClientInputs;
  readonly fewest: number;
  readonly bins: number | undefined;
}

/** @throws {DataError} for numbers too large for a model */
async function numberStatistics(
  names: readonly string[],
  array: number | 'targets',
  { data, inputs, fewest, bins }: Merging,
): Promise<NonNullable<InputStatistics['statistics']>> {
  const create = () => createNumberStatistics(names.length);
  const merged = await mergedOf(array, inputs, { create, fewest });
  const tooLarge = merged.missing.findIndex((count) => count > 0);
  if (tooLarge >= 0) {
    const expected = `numbers that a 32-bit float holds in ${names[tooLarge]}, as models are given them`;
    throw new DataError({ file: data, expected, found: `${merged.missing[tooLarge]} larger ones` });
  }
  const features = describeFeatures(merged, fewest);
  const list = (key: 'mean' | 'variance' | 'least' | 'most') => features.map((each) => each?.[key] as number);
  return {
    ...{ values: features[0]?.values ?? 0, mean: list('mean'), variance: list('variance') },
    ...{ least: list('least'), most: list('most') },
    ...(bins === undefined
      ? {}
      : { histograms: await countedBetween(features, array, { inputs, fewest, bins }) }),
  };
}

/** The histogram of each feature, between bounds that all clients know; null where too few have values. */
async function countedBetween(
  features: ReturnType<typeof describeFeatures>,
  array: number | 'targets',
  { inputs, fewest, bins }: Omit<Merging, 'data'> & { readonly bins: number },
) {
  const binsOf = features.map((feature) => feature && binsBetween(feature, bins));
  let all: readonly Histogram[] | undefined;
  for (let client = 0; client < inputs.clients; client++) {
    const counted = createHistograms(binsOf, client);
    for await (const piece of inputs.pieces(client, array)) counted.add(piece);
    const own = counted.told();
    all = all?.map((each, at) => mergeHistograms(each, own[at] as Histogram, fewest)) ?? own;
  }
  return binsOf.map((each, at) => {
    const told = each && publicHistogram(each, all?.[at] as Histogram, fewest);
    return told === undefined ? null : { edges: [...told.edges], counts: [...told.counts] };
  });
}

const isTable = ({ facts }: Pick<OwnedDataset, 'facts'>): boolean =>
  Object.values(facts?.inputs ?? {}).some(({ columns, categories }) => columns ?? categories);

/** What was asked for, where it changes what is told. */
export function askedNormalize(
  dataset: OwnedDataset,
  { normalize }: Pick<StatisticsWanted, 'normalize'>,
): Pick<Manifest, 'normalize'> {
  return normalize === undefined || (normalize === 'off' && !isTable(dataset)) ? {} : { normalize };
}

/** Numbers that a mean and a deviation say something of; the scale of pictures is known. */
const isScalable = (input: InputRows): boolean => input.dtype.startsWith('float') && !isImageForm(input);

/** @throws {UsageError} where no statistic could come from so many clients, or there is nothing to make one of */
export function checkStatistics(
  dataset: OwnedDataset,
  clients: number,
  { minClientsPerStatistic: fewest = 1, normalize, histogramBins, data }: StatisticsWanted,
): void {
  const { train } = dataset;
  if (fewest > clients) {
    throw new UsageError(
      `--min-clients-per-statistic ${fewest} is more than the ${clients} clients of ${data}: each statistic would tell of ` +
        'fewer.',
    );
  }
  const isTold = normalize === 'on' || (normalize === undefined && isTable(dataset));
  const hasNumbers =
    train.inputs.some(isScalable) || train.targets.some((each) => targetKind(each) === 'numbers');
  if (histogramBins !== undefined && !(isTold && hasNumbers)) {
    throw new UsageError(
      `${data}: --histogram-bins finds no numbers that have statistics: those of a table have them, others with --normalize on.`,
    );
  }
  if (normalize !== 'on' || train.inputs.some(isScalable)) return;
  throw new UsageError(
    `${data}: --normalize on finds nothing to normalise, since no input is numbers (floats) other than pictures: leave it out.`,
  );
}

/** The names of columns that have one value alone, for people. */
export function constantColumns(
  inputs: readonly Pick<InputDescription, 'name' | 'columns' | 'statistics'>[],
): readonly string[] {
  return inputs.flatMap((input) => {
    const variance = input.statistics?.variance ?? [];
    const names = featureNames(input, variance.length);
    return names.filter((_, at) => variance[at] === 0);
  });
}

/** Categories that were left out. */
interface KeptCategories {
  /** What the data say of themselves without them. */
  readonly facts: DataFacts;
  /** By input: how many there were, and the new number of each number. */
  readonly renumbered: ReadonlyMap<string, { readonly dropped: number; readonly numbers: Int32Array }>;
}

/** The categories that enough clients have: others become 0, none of them, and those behind them get other numbers. */
export async function keptCategories(
  { train, facts = {} }: OwnedDataset,
  inputs: ClientInputs,
  { minClientsPerStatistic: fewest = 1 }: StatisticsWanted,
): Promise<KeptCategories> {
  const renumbered = new Map<string, { readonly dropped: number; readonly numbers: Int32Array }>();
  const told: Record<string, NonNullable<DataFacts['inputs']>[string]> = { ...facts.inputs };
  for (const [at, { name }] of train.inputs.entries()) {
    const categories = told[name]?.categories;
    if (categories === undefined || fewest < 2) continue;
    const { counts } = await mergedOf(at, inputs, { create: createCategoryStatistics, fewest });
    const kept = categories.filter((_, index) => (counts.get(index + 1)?.clients ?? 0) >= fewest);
    if (kept.length === categories.length) continue;
    const numbers = new Int32Array(categories.length + 1);
    for (const [index, each] of categories.entries()) numbers[index + 1] = kept.indexOf(each) + 1;
    renumbered.set(name, { dropped: categories.length - kept.length, numbers });
    told[name] = { ...told[name], categories: kept };
  }
  return { facts: renumbered.size === 0 ? facts : { ...facts, inputs: told }, renumbered };
}

/** What stands for numbers that are missing. */
interface ClientMeans {
  /** What the data say of themselves with these numbers. */
  readonly facts: DataFacts;
  /** By input: a number for each column; NaN for one whose missing numbers have none. */
  readonly means: ReadonlyMap<string, Float64Array>;
}

/** The means of the columns that a description asks for, over all clients' training examples. @throws {DataError} where too few clients have a value */
export async function meansOfClients(
  { train, facts = {} }: OwnedDataset,
  inputs: ClientInputs,
  { data, minClientsPerStatistic: fewest = 1 }: StatisticsWanted,
): Promise<ClientMeans> {
  const found = new Map<string, Float64Array>();
  const told: Record<string, NonNullable<DataFacts['inputs']>[string]> = { ...facts.inputs };
  for (const [at, { name, shape }] of train.inputs.entries()) {
    const wanted = facts.means?.[name];
    if (wanted === undefined) continue;
    const width = sizeOf(shape.slice(1));
    const { columns = [], missing } = told[name] ?? {};
    const create = () => createNumberStatistics(width);
    const features = describeFeatures(await mergedOf(at, inputs, { create, fewest }), fewest);
    const means = columns.map((column, place) => {
      if (!wanted.includes(column)) return Number.NaN;
      const mean = features[place]?.mean;
      if (mean !== undefined) return mean;
      const expected = `values of ${fewest === 1 ? 'a client' : `${fewest} clients`} in column ${column}, whose mean stands for those that are missing`;
      throw new DataError({ file: data, expected, found: 'fewer' });
    });
    found.set(name, Float64Array.from(means));
    const known = columns.flatMap((column, place) =>
      wanted.includes(column) ? [[column, means[place] as number] as const] : [],
    );
    told[name] = { ...told[name], missing: { ...missing, ...Object.fromEntries(known) } };
  }
  return { facts: found.size === 0 ? facts : { ...facts, inputs: told }, means: found };
}

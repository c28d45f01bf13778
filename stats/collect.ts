/** The statistics of all clients in two rounds: sums, bounds and counts first, then histograms between bounds that all know. */
import { UsageError } from '../lib/core/errors.js';
import {
  dtypeOf,
  type ExampleArray,
  type Examples,
  exampleCount,
  labelsOf,
} from '../lib/federation/examples.js';
import {
  type Bins,
  binsBetween,
  createHistograms,
  type Histogram,
  mergeHistograms,
  publicHistogram,
  quantileOf,
} from '../lib/federation/histogram.js';
import {
  type CategoryStatistics,
  createCategoryStatistics,
  createMerger,
  createNumberStatistics,
  describeFeatures,
  type FeatureFacts,
  featuresOf,
  type NumberStatistics,
  piecesOf,
  withheldOf,
} from '../lib/federation/statistics.js';
import { featureNames } from '../lib/formats/keras/data-names.js';
import {
  type CategoriesResult,
  type NumbersResult,
  QUANTILES,
  type StatisticsResult,
} from '../lib/formats/statistics-result.js';
import type { Reporter } from '../lib/observability/events.js';
import type { ClientRows, ClientSource } from './clients.js';

/** What is asked for. */
export interface StatisticsOptions {
  /** Clients that have to stand behind each statistic. */
  readonly fewest: number;
  /** Of each histogram. */
  readonly bins: number;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** An input or targets, as they are told of. */
interface Column {
  readonly name: string;
  /** Names of the numbers from `firstNamed` on. */
  readonly names?: readonly string[] | undefined;
  readonly firstNamed: number;
  readonly columns?: readonly string[] | undefined;
  readonly isCategories: boolean;
  arrayOf(examples: Examples): ExampleArray;
}

/** The statistics. @throws {UsageError} where there are fewer clients than have to stand behind one @throws {DataError} as reading does */
export async function collectStatistics(
  source: ClientSource,
  options: StatisticsOptions,
): Promise<StatisticsResult> {
  const { fewest, bins } = options;
  const { owners, path } = source;
  if (fewest > owners.length) {
    throw new UsageError(
      `--min-clients-per-statistic ${fewest} is more than the ${owners.length} clients of ${path}: each statistic would ` +
        'tell of fewer.',
    );
  }
  const columns = columnsOf((await source.read(0)).examples, source);
  const sums = await tellSums(columns, source, options);
  const merged = columns.map((_, at) => {
    const merger = createMerger<Told>(fewest);
    for (const { told } of sums) merger.add(told[at] as Told);
    return merger.merged() as Told;
  });
  const features = merged.map((each) => (each.kind === 'numbers' ? describeFeatures(each, fewest) : []));
  const binsOf = features.map((each) => each.map((feature) => feature && binsBetween(feature, bins)));
  const histograms = await countValues(columns, source, { ...options, binsOf });
  const results = columns.flatMap((column, at): (NumbersResult | CategoriesResult)[] => {
    const statistics = merged[at] as Told;
    if (statistics.kind === 'categories') return [categoriesResult(column, statistics, fewest)];
    const own = sums.map(({ told }) => told[at] as NumberStatistics);
    const alone = fewest > 1 ? undefined : own.map((each) => describeFeatures(each));
    return featureNames(column, statistics.values.length).map((name, feature) => ({
      kind: 'numbers' as const,
      input: column.name,
      name,
      ...momentsOf(features[at]?.[feature], statistics, feature),
      ...distributionOf(binsOf[at]?.[feature], histograms[at]?.[feature], fewest),
      ...withheldCounts(statistics, feature, fewest),
      ...(alone === undefined
        ? {}
        : {
            byClient: alone.map((each, client) => ({
              client,
              ...momentsOf(each[feature], own[client] as NumberStatistics, feature),
            })),
          }),
    }));
  });
  return {
    source: path,
    clients: owners.map((owner, client) => ({
      ...(owner === undefined ? {} : { owner }),
      examples: sums[client]?.examples as number,
    })),
    minClientsPerStatistic: fewest,
    columns: results,
  };
}

type Told = NumberStatistics | CategoryStatistics;

/** Reads one client after the other, and says how many were read. */
async function* eachClient(
  source: ClientSource,
  { reporter, signal }: StatisticsOptions,
): AsyncGenerator<ClientRows & { readonly client: number }> {
  const total = source.owners.length;
  for (const client of source.owners.keys()) {
    signal.throwIfAborted();
    yield { client, ...(await source.read(client)) };
    reporter.progress({ stage: 'read', done: client + 1, total, unit: 'clients' });
  }
}

/** The first round: what each client tells of each column. */
async function tellSums(columns: readonly Column[], source: ClientSource, options: StatisticsOptions) {
  const all: { readonly examples: number; readonly told: readonly Told[] }[] = [];
  for await (const { examples, rows } of eachClient(source, options)) {
    const told = columns.map((column) => {
      const array = column.arrayOf(examples);
      const own = column.isCategories
        ? createCategoryStatistics()
        : createNumberStatistics(featuresOf({ shape: array.shape, dtype: dtypeOf(array.values) }));
      for (const piece of piecesOf(array, rows)) own.add(piece);
      return own.told();
    });
    all.push({ examples: rows?.length ?? exampleCount(examples), told });
  }
  return all;
}

/** The second round: how many values each client has between edges that all know. */
async function countValues(
  columns: readonly Column[],
  source: ClientSource,
  { binsOf, ...options }: StatisticsOptions & { readonly binsOf: readonly (readonly (Bins | undefined)[])[] },
): Promise<readonly (readonly Histogram[])[]> {
  let all: readonly (readonly Histogram[])[] | undefined;
  for await (const { client, examples, rows } of eachClient(source, options)) {
    const own = columns.map((column, at) => {
      const counted = createHistograms(binsOf[at] ?? [], client);
      if (!column.isCategories)
        for (const piece of piecesOf(column.arrayOf(examples), rows)) counted.add(piece);
      return counted.told();
    });
    all =
      all?.map((column, at) =>
        column.map((each, feature) => mergeHistograms(each, own[at]?.[feature] as Histogram, options.fewest)),
      ) ?? own;
  }
  return all ?? [];
}

/** Inputs, then targets. */
function columnsOf({ inputs, targets }: Examples, { facts }: ClientSource): readonly Column[] {
  const ofInputs = inputs.map(({ name }, at): Column => {
    const { columns, categories } = facts.inputs?.[name] ?? {};
    return {
      ...{ name, columns, names: categories, firstNamed: 1 },
      isCategories: categories !== undefined,
      arrayOf: (examples) => examples.inputs[at] as ExampleArray,
    };
  });
  const ofTargets = targets.map((each, at): Column => {
    const isCategories = labelsOf(each) !== undefined;
    return {
      name: targets.length === 1 ? (facts.target?.column ?? each.name) : each.name,
      ...{ names: isCategories ? facts.classNames : undefined, firstNamed: 0, isCategories },
      arrayOf: (examples) => examples.targets[at] as ExampleArray,
    };
  });
  return [...ofInputs, ...ofTargets];
}

function momentsOf(facts: FeatureFacts | undefined, { values, missing }: NumberStatistics, feature: number) {
  return {
    values: values[feature] as number,
    missing: missing[feature] as number,
    mean: facts?.mean ?? null,
    deviation: facts === undefined ? null : Math.sqrt(facts.variance),
    least: facts?.least ?? null,
    most: facts?.most ?? null,
  };
}

function distributionOf(bins: Bins | undefined, counted: Histogram | undefined, fewest: number) {
  const histogram = bins && counted && publicHistogram(bins, counted, fewest);
  if (histogram === undefined) return { quantiles: null, histogram: null };
  return { quantiles: QUANTILES.map((share) => quantileOf(histogram, share)), histogram };
}

/** Null for what too few clients stand behind; the counts of a histogram come to the number of values. */
function withheldCounts(
  { values, clients, missing, lacking }: NumberStatistics,
  feature: number,
  fewest: number,
): Pick<NumbersResult, 'clients'> & Partial<Pick<NumbersResult, 'values' | 'missing' | 'histogram'>> {
  const [having, without] = [clients[feature] as number, lacking[feature] as number];
  const counts = new Map([
    ['values', { values: values[feature] as number, clients: having }],
    ['missing', { values: missing[feature] as number, clients: without }],
  ]);
  const isTold = withheldOf(counts, fewest).size === 0;
  return {
    clients: having > 0 && having < fewest ? null : having,
    ...(isTold ? {} : { values: null, missing: null, histogram: null }),
  };
}

function categoriesResult(
  { name, names, firstNamed }: Column,
  { counts }: CategoryStatistics,
  fewest: number,
): CategoriesResult {
  const withheld = withheldOf(counts, fewest);
  const isMissing = (number: number) => firstNamed === 1 && number === 0;
  const told = [...counts].filter(([number]) => !withheld.has(number) && !isMissing(number));
  const missing = firstNamed === 1 ? (counts.get(0)?.values ?? 0) : 0;
  return {
    ...{ kind: 'categories', input: name, name },
    // Whether none lacks one, or too few do, is not told either.
    missing: firstNamed === 1 && withheld.size > 0 && (missing === 0 || withheld.has(0)) ? null : missing,
    categories: told.map(([number, { values, clients }]) => ({
      name: names?.[number - firstNamed] ?? `${number}`,
      values,
      clients,
    })),
    withheld: [...withheld].reduce((sum, number) => sum + (counts.get(number)?.values ?? 0), 0),
  };
}

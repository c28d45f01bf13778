/** How a model's figures differ from client to client: mean, spread and the worst of them, metric by metric. */
import { leadingFigure, reaches, type TestFigures } from './metrics.js';

/** What a model comes to on the held-out examples of one client. */
interface ClientFigures extends TestFigures {
  readonly examples: number;
}

/** One figure over all clients that have it. */
export interface Spread {
  readonly clients: number;
  /** Each client counts the same. */
  readonly mean: number;
  /** Each client counts by its held-out examples. */
  readonly weightedMean: number;
  /** Standard deviation from the mean, of these clients and not of more that they stand for. */
  readonly deviation: number;
  /** Mean over the worst tenth of the clients, one at least: "worst 10 %" of Li et al. 2020 (q-FFL, arXiv 1905.10497). */
  readonly worstDecile: number;
}

/** By the name of the metric, the loss among them. */
export type AcrossClients = Readonly<Record<string, Spread>>;

/** The spread of every figure that clients have; undefined where no client was tested. */
export function acrossClients(tests: readonly ClientFigures[]): AcrossClients | undefined {
  const names = new Set(['loss', ...tests.flatMap(({ metrics = {} }) => Object.keys(metrics))]);
  const spreads = [...names].flatMap((metric) => {
    const found = tests.flatMap(({ loss, metrics, examples }): Weighted[] => {
      const value = metric === 'loss' ? loss : metrics?.[metric];
      return Number.isFinite(value) ? [{ value: value as number, examples }] : [];
    });
    return found.length === 0 ? [] : [[metric, spreadOf(metric, found)] as const];
  });
  return spreads.length === 0 ? undefined : Object.fromEntries(spreads);
}

/** What a result that has to be short tells: the spread of the loss, and of the metric that leads. */
export function leadingAcross(
  tested: TestFigures & { readonly acrossClients?: AcrossClients | undefined },
): AcrossClients | undefined {
  const { acrossClients: across } = tested;
  if (across === undefined) return undefined;
  const told = ['loss', leadingFigure(tested).metric];
  return Object.fromEntries(Object.entries(across).filter(([name]) => told.includes(name)));
}

/** For people: `accuracy of 10 clients: 0.9512 on average (0.9498 by examples), deviation 0.0312, worst tenth 0.8810`. */
export function describeAcross(across: AcrossClients, metric: string): string {
  const spread = across[metric];
  if (spread === undefined) return `${metric} of no client is known`;
  const { clients, mean, weightedMean, deviation, worstDecile } = spread;
  const [average, weighted, wide, worst] = [mean, weightedMean, deviation, worstDecile].map((each) =>
    each.toFixed(4),
  );
  return (
    `${metric} of ${clients} client${clients === 1 ? '' : 's'}: ${average} on average (${weighted} by examples), ` +
    `deviation ${wide}, worst tenth ${worst}`
  );
}

interface Weighted {
  readonly value: number;
  readonly examples: number;
}

function spreadOf(metric: string, found: readonly Weighted[]): Spread {
  const mean = meanOf(found, () => 1);
  const squares = found.map(({ value, examples }) => ({ value: (value - mean) ** 2, examples }));
  // What reaches another value is at least as good.
  const isBetter = (a: Weighted, b: Weighted) => reaches(a.value, { metric, value: b.value });
  const worstFirst = found.toSorted((a, b) => (a.value === b.value ? 0 : isBetter(a, b) ? 1 : -1));
  return {
    clients: found.length,
    mean,
    weightedMean: meanOf(found, ({ examples }) => examples),
    deviation: Math.sqrt(meanOf(squares, () => 1)),
    worstDecile: meanOf(worstFirst.slice(0, Math.ceil(found.length / 10)), () => 1),
  };
}

function meanOf(values: readonly Weighted[], weightOf: (value: Weighted) => number): number {
  let [sum, weights] = [0, 0];
  for (const each of values) {
    sum += weightOf(each) * each.value;
    weights += weightOf(each);
  }
  return sum / weights;
}

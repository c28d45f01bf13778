/** Which configurations a sweep tries: all of a grid, or some drawn at random or spread evenly over the axes. */
import { UsageError } from '../lib/core/errors.js';
import { randomStream } from '../lib/core/random.js';
import type { SettingValue } from '../lib/settings/value-type.js';
import { type Axis, rangeOf, SEED_PLACE, valueAtShare, valuesOfAxis } from './axes.js';
import { sobolPoints } from './sobol.js';

/** All combinations, or so many of them. */
export type Search =
  | { readonly kind: 'grid' }
  | { readonly kind: 'random' | 'sobol'; readonly count: number };

/** Values of the axes but for the seed, by place. */
export type Configuration = Readonly<Record<string, SettingValue>>;

/** More trials than anybody waits for: a slip of the finger must not fill the disk. */
const MOST_TRIALS = 10_000;

/** Draws in vain for each configuration, of axes that have hardly more. */
const MOST_DRAWS = 100;

/** The seeds of a sweep; undefined where there is no such axis. */
export function seedsOf(axes: readonly Axis[]): readonly number[] | undefined {
  const axis = axes.find(({ place }) => place === SEED_PLACE);
  if (axis !== undefined && rangeOf(axis) !== undefined) {
    throw new UsageError(
      'seed: every configuration is run with each seed: give their values, such as seed=0,1,2.',
    );
  }
  return axis && (valuesOfAxis(axis) as readonly number[]);
}

/**
 * The configurations, each once; drawn ones depend on the axes and the seed alone.
 *
 * @throws {UsageError} for a range without a number of draws, or more trials than there are combinations or sense
 */
export function configurationsOf(
  axes: readonly Axis[],
  { search, seed }: { readonly search: Search; readonly seed: number },
): readonly Configuration[] {
  const varied = axes.filter(({ place }) => place !== SEED_PLACE);
  const repeats = seedsOf(axes)?.length ?? 1;
  const hasValues = varied.every((axis) => rangeOf(axis) === undefined);
  const combinations = hasValues
    ? varied.reduce((product, axis) => product * valuesOfAxis(axis).length, 1)
    : Number.POSITIVE_INFINITY;
  const wanted = search.kind === 'grid' ? combinations : search.count;
  const range = varied.find((axis) => rangeOf(axis) !== undefined);
  if (search.kind === 'grid' && range !== undefined) {
    throw new UsageError(
      `${range.name} is a range: say with --random or --sobol how many values are drawn from it.`,
    );
  }
  if (wanted > combinations) {
    throw new UsageError(
      `--${search.kind} ${wanted} are more than the ${combinations} combinations of the axes.`,
    );
  }
  if (wanted * repeats > MOST_TRIALS) {
    throw new UsageError(`These are ${wanted * repeats} trials: at most ${MOST_TRIALS} make one sweep.`);
  }
  return search.kind === 'grid' ? productOf(varied) : drawn(varied, { ...search, seed });
}

/** The first axis changes last. */
function productOf(axes: readonly Axis[]): readonly Configuration[] {
  return axes.reduce<readonly Configuration[]>(
    (before, axis) =>
      before.flatMap((each) => valuesOfAxis(axis).map((value) => ({ ...each, [axis.place]: value }))),
    [{}],
  );
}

function drawn(
  axes: readonly Axis[],
  { kind, count, seed }: { readonly kind: 'random' | 'sobol'; readonly count: number; readonly seed: number },
): readonly Configuration[] {
  const names = axes.map(({ place }) => place);
  const random = randomStream(seed, 'sweep', kind, ...names);
  const points = kind === 'sobol' ? sobolPoints(axes.length, random) : undefined;
  const found = new Map<string, Configuration>();
  for (let draws = 0; found.size < count && draws < count * MOST_DRAWS; draws++) {
    const point = points?.next().value ?? axes.map(() => random.uniform());
    const values = axes.map((axis, at) => [axis.place, valueAtShare(axis, point[at] ?? 0)] as const);
    const key = JSON.stringify(values);
    if (!found.has(key)) found.set(key, Object.fromEntries(values));
  }
  return [...found.values()];
}

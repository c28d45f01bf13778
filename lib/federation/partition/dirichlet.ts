/**
 * Skew drawn from a Dirichlet distribution: of labels, as Yurochkin et al. 2019 split them and NIID-Bench made
 * common, and of sizes, the quantity skew of NIID-Bench (Li et al. 2022, arXiv 2102.02079).
 */
import { randomGamma } from 'd3-random';
import { permutation, type RandomStream, shuffle } from '../../core/random.js';
import { cutBySizes, groupByLabel, join, sharesOfLogs, wholeParts } from './dealing.js';

/** What the scheme is told. */
interface DirichletOptions {
  readonly clients: number;
  /** Concentration: towards 0 each label lies with one client, towards infinity all clients look alike. */
  readonly alpha: number;
  readonly random: RandomStream;
}

/**
 * For each label, draws from Dir(α) what share of its examples goes to each client (Yurochkin et al. 2019, arXiv
 * 1905.12022, section 4). As in that paper's code, and after it in NIID-Bench (Li et al. 2022, arXiv 2102.02079) and
 * Flower's niid_bench, a client that holds its even share n / K of all examples already gets no more. (Hsu et al. 2019,
 * arXiv 1909.06335, draw the other way round, the labels' shares of each client, with shards of one size.)
 */
export function dirichlet(
  labels: ArrayLike<number>,
  { clients, alpha, random }: DirichletOptions,
): readonly Uint32Array[] {
  const evenShare = labels.length / clients;
  const held = new Uint32Array(clients);
  const draws = dirichletDraws(alpha, clients, random);
  const hands: Uint32Array[][] = Array.from({ length: clients }, () => []);
  for (const group of groupByLabel(labels)) {
    const shares = draws.next((client) => (held[client] as number) < evenShare);
    const pieces = cutBySizes(shuffle(group, random), wholeParts(shares, group.length));
    for (const [client, piece] of pieces.entries()) {
      if (piece.length === 0) continue;
      hands[client]?.push(piece);
      held[client] = (held[client] as number) + piece.length;
    }
  }
  return hands.map(join);
}

/** Keeps log(U) / α finite; with it, and below it, one part has everything. */
const SMALLEST_ALPHA = 1e-100;

/** Draws of Dir(α, …, α). */
interface DirichletDraws {
  /** The proportions of the parts for which `takesPart` holds (all, by default); those of others are 0. They sum to 1. */
  next(takesPart?: (part: number) => boolean): Float64Array;
}

/**
 * Draws of the Dirichlet distribution over `parts` parts: gamma numbers (Marsaglia and Tsang 2000), divided by their
 * sum. They are kept as logarithms, since with a small α nearly all of them are too small for a double.
 */
export function dirichletDraws(alpha: number, parts: number, random: RandomStream): DirichletDraws {
  const shape = Math.max(alpha, SMALLEST_ALPHA);
  const gammaAbove = randomGamma.source(random.uniform)(shape + 1);
  // G(α) = G(α + 1) · U^(1/α), so log G(α) = log G(α + 1) + log(U) / α.
  const logGamma = () => Math.log(gammaAbove()) + Math.log(1 - random.uniform()) / shape;
  return {
    next(takesPart = () => true) {
      const logs = Float64Array.from({ length: parts }, logGamma);
      for (let part = 0; part < parts; part++) if (!takesPart(part)) logs[part] = -Infinity;
      return sharesOfLogs(logs);
    },
  };
}

/** What the scheme is told. */
interface QuantitySkewOptions {
  readonly clients: number;
  /** Concentration: towards 0 one client has nearly everything, towards infinity all shards are of one size. */
  readonly alpha: number;
  /** What every client gets before the rest is shared out. */
  readonly minExamples: number;
  readonly random: RandomStream;
}

/** Shuffles; gives each client its minimum, and shares of the rest that are one draw from Dir(α). */
export function quantitySkew(
  labels: ArrayLike<number>,
  { clients, alpha, minExamples, random }: QuantitySkewOptions,
): readonly Uint32Array[] {
  const shares = dirichletDraws(alpha, clients, random).next();
  const sizes = wholeParts(shares, labels.length - clients * minExamples).map((size) => size + minExamples);
  return cutBySizes(permutation(labels.length, random), sizes);
}

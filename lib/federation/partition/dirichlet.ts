/** Label skew drawn from a Dirichlet distribution: the split of Yurochkin et al. 2019, as NIID-Bench made it common. */
import { type RandomStream, shuffle } from '../../core/random.js';
import { cutBySizes, groupByLabel, join, wholeParts } from './dealing.js';
import { dirichletDraws } from './dirichlet-shares.js';

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

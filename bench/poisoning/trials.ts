/** The trials of the poisoning table: attacks, shares of attackers, splits, strategies and seeds, and what each one runs. */
import { sha256 } from '../../lib/formats/files/read-file.js';

/** What attackers do: to their updates, or to the examples that they train on. */
export const ATTACKS = {
  none: 'nobody attacks',
  'sign-flip': 'w − 10·Δ in place of w + Δ',
  noise: 'normal noise of standard deviation 1 on every weight',
  huge: '1e30 in every weight',
  'label-flip': 'trains on labels 9 − y',
  backdoor: 'half of its images get a white square of 3 × 3 pixels and the label 0',
} as const;

/** One of them. */
export type Attack = keyof typeof ATTACKS;

/** How examples are dealt, in the words of the table. */
export const SPLITS = { iid: 'IID', dirichlet: 'Dirichlet, α = 0.5' } as const;

/** One of the splits. */
export type Split = keyof typeof SPLITS;

/** Clients of a round: all of them. */
export const CLIENTS = 20;

/** Shares of the clients that attack. */
export const SHARES = [0.2, 0.3] as const;

/** Attackers that the strategies are set up for, the most there are here: nobody knows how many will come. */
const EXPECTED = 6;

/** Strategies by their name in the table, with their options of `fedbatch run`. */
export const STRATEGIES: Readonly<Record<string, readonly string[]>> = {
  mean: [],
  'mean, `--clip-norm auto`': ['--clip-norm', 'auto'],
  median: ['--strategy', 'median'],
  'trimmed mean': ['--strategy', 'trimmed-mean', '--trim', `${EXPECTED / CLIENTS}`],
  krum: ['--strategy', 'krum', '--byzantine', `${EXPECTED}`],
  'multi-krum': ['--strategy', 'multi-krum', '--byzantine', `${EXPECTED}`],
};

/** One run. */
export interface Trial {
  readonly split: Split;
  readonly attack: Attack;
  /** Share of the clients that attack. */
  readonly share: number;
  /** A name of {@link STRATEGIES}. */
  readonly strategy: string;
  readonly seed: number;
}

/** All trials, those of the first seed before those of the second: a table that is cut short has every cell. */
export function trialsOf({ seeds }: { readonly seeds: number }): readonly Trial[] {
  const attackers = (Object.keys(ATTACKS) as Attack[]).flatMap((attack) =>
    (attack === 'none' ? [0] : SHARES).map((share) => ({ attack, share })),
  );
  return Array.from({ length: seeds }, (_, seed) =>
    (Object.keys(SPLITS) as Split[]).flatMap((split) =>
      attackers.flatMap((each) =>
        Object.keys(STRATEGIES).map((strategy) => ({ split, ...each, strategy, seed })),
      ),
    ),
  ).flat();
}

/** The same for the same trial. */
export const nameOf = ({ split, attack, share, strategy, seed }: Trial): string =>
  [split, attack, share, strategy, seed].join(' ');

/** Every n-th training image of MNIST: a trial takes seconds, and each client has 600. */
export const EVERY = 5;

/** What all runs have in common. A round goes on without the updates that are rejected. */
const OPTIONS = [
  ...['--model', 'mlp', '--partition', 'by-key', '--key', 'client', '--rounds', '15', '--quorum', '50%'],
  ...['--epochs', '2', '--batch', '32', '--optimizer', 'sgd', '--momentum', '0', '--learning-rate', '0.1'],
];

/** Arguments of `fedbatch` for one trial. */
export const runArguments = ({ strategy, seed }: Trial, data: string): readonly string[] => [
  ...['run', '--simulate', '--data', data, ...OPTIONS, ...(STRATEGIES[strategy] ?? [])],
  ...['--seed', `${seed}`],
];

/** What results are of: under other settings they are none. */
export const settingsHash = (): string =>
  sha256(JSON.stringify([ATTACKS, CLIENTS, EVERY, OPTIONS, STRATEGIES])).slice(0, 16);

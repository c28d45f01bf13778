/** The round loop over a runner without files: federated averaging of one number, where the answer is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectClients } from '../../lib/federation/participation.js';
import { federatedAveraging } from './round-loop.js';
import type { ClientResult, FederationPlan, RoundOutcome, Runner } from './runner.js';

/** Client k holds `examples[k]` examples of the value `targets[k]`; its loss is (w - target)². */
const examples = [10, 30, 60];
const targets = [1, 2, 5];
const STEP = 0.25;

const plan = (changes: Partial<FederationPlan> = {}): FederationPlan => ({
  ...{ seed: 0, clients: 3, fraction: 1, minClients: 1, rounds: 20 },
  ...changes,
});

interface Behaviour {
  /** Clients that do not report, by round. */
  readonly missing?: Readonly<Record<number, readonly number[]>>;
  /** Accuracy of each round's model. */
  readonly accuracies?: readonly number[];
}

/** One gradient step of each client per round; models are kept by their name. */
function quadraticRunner({ missing = {}, accuracies = [] }: Behaviour = {}) {
  const calls: string[] = [];
  const models = new Map<string, number>();
  const save = (name: string, weight: number) => {
    models.set(name, weight);
    return { file: name, sha256: name };
  };
  const weightOf = (name: string) => models.get(name) ?? Number.NaN;
  const runner: Runner = {
    init: async () => {
      calls.push('init');
      return save('w0', 0);
    },
    train: async ({ round, global, clients, quorum }) => {
      calls.push(
        `train ${round} from ${global.file}: ${clients.join()}${quorum ? ` of which ${quorum}` : ''}`,
      );
      const isMissing = (client: number) => missing[round]?.includes(client) === true;
      const reported = clients
        .filter((client) => !isMissing(client))
        .map((client): ClientResult => {
          const weight = weightOf(global.file);
          const update = save(`w${round}/${client}`, weight - STEP * 2 * (weight - (targets[client] ?? 0)));
          return { client, examples: examples[client] ?? 0, seconds: 0, sha256: update.sha256 };
        });
      return {
        reported,
        missing: clients.filter(isMissing).map((client) => ({ client, reason: 'is asleep' })),
      };
    },
    aggregate: async ({ round, updates, quorum }) => {
      calls.push(`aggregate ${round}: ${updates.length} updates${quorum ? `, ${quorum} needed` : ''}`);
      const total = updates.reduce((sum, update) => sum + update.examples, 0);
      const mean = updates.reduce(
        (sum, update) => sum + (update.examples / total) * weightOf(update.sha256 ?? ''),
        0,
      );
      return { ...save(`w${round}`, mean), rejected: [] };
    },
    evaluate: async ({ round, global }) => {
      calls.push(`evaluate ${round} of ${global.file}`);
      return { examples: 100, loss: weightOf(global.file), accuracy: accuracies[round - 1] ?? 0 };
    },
  };
  return { runner, calls };
}

test('each round starts from the last one’s average, and the average converges to the weighted optimum', async () => {
  const { runner, calls } = quadraticRunner();
  const outcomes = await federatedAveraging(plan(), runner);
  assert.deepEqual(calls.slice(0, 7), [
    'init',
    'train 1 from w0: 0,1,2',
    'aggregate 1: 3 updates',
    'evaluate 1 of w1',
    'train 2 from w1: 0,1,2',
    'aggregate 2: 3 updates',
    'evaluate 2 of w2',
  ]);
  assert.deepEqual(
    outcomes.map(({ round }) => round),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  // With one step per round FedAvg is gradient descent on the weighted mean of the losses: optimum Σ n_k/n · target.
  const optimum = 0.1 * 1 + 0.3 * 2 + 0.6 * 5;
  for (const { round, evaluation } of outcomes) {
    assert.ok(Math.abs(evaluation.loss - optimum * (1 - (1 - 2 * STEP) ** round)) < 1e-12);
  }
});

test('each round selects its own clients, and hands the quorum to training and aggregation', async () => {
  const { runner, calls } = quadraticRunner();
  const outcomes = await federatedAveraging(plan({ fraction: 2 / 3, quorum: { share: 0.5 } }), runner);
  const select = (round: number) =>
    selectClients({ clients: 3, fraction: 2 / 3, minClients: 1 }, { seed: 0, round });
  const rounds = outcomes.map(({ round }) => round);
  assert.deepEqual(
    calls.filter((call) => call.startsWith('train')),
    rounds.map((round) => `train ${round} from w${round - 1}: ${select(round).join()} of which 1`),
  );
  assert.ok(new Set(rounds.map((round) => select(round).join())).size > 1);
  for (const { participation } of outcomes)
    assert.deepEqual(participation, { selected: 2, missing: 0, rejected: 0 });
  assert.equal(calls[2], 'aggregate 1: 2 updates, 1 needed');
});

test('who is missing is left out of the average and told in the outcome', async () => {
  const { runner } = quadraticRunner({ missing: { 1: [2] } });
  const [first, second] = await federatedAveraging(plan({ rounds: 2, quorum: { count: 2 } }), runner);
  assert.equal(first?.participation.missing, 1);
  assert.equal(first?.evaluation.loss, 2 * STEP * ((10 / 40) * 1 + (30 / 40) * 2));
  assert.equal(second?.participation.missing, 0);
});

test('rounds that are settled are not asked for again, and count for the end like the others', async () => {
  const settled = (round: number, accuracy: number): RoundOutcome => ({
    ...{ round, global: { file: `w${round}`, sha256: `w${round}` } },
    evaluation: { examples: 100, loss: 1, accuracy },
    participation: { selected: 3, missing: 1, rejected: 0 },
  });
  const { runner, calls } = quadraticRunner({ accuracies: [0, 0, 0.6, 0.5] });
  const before = [settled(1, 0.5), settled(2, 0.7)];
  const rules = plan({ patience: 2 });
  const outcomes = await federatedAveraging(rules, { ...runner, settled: async () => before });
  assert.deepEqual(
    calls.filter((call) => !call.startsWith('aggregate')),
    ['train 3 from w2: 0,1,2', 'evaluate 3 of w3', 'train 4 from w3: 0,1,2', 'evaluate 4 of w4'],
  );
  assert.deepEqual(outcomes.slice(0, 2), before);
  assert.equal(outcomes.length, 4, 'two rounds without a better one than the second');
});

for (const [what, changes, accuracies, rounds] of [
  ['the target is reached', { targetAccuracy: 0.8 }, [0.5, 0.7, 0.8, 0.9], 3],
  ['the first round is enough', { targetAccuracy: 0.3 }, [0.5], 1],
  ['patience is at its end', { patience: 2 }, [0.5, 0.7, 0.7, 0.6, 0.9], 4],
  ['accuracy is not a matter', {}, [1, 1, 1], 20],
] as const) {
  test(`the rounds end when ${what}`, async () => {
    const { runner } = quadraticRunner({ accuracies });
    assert.equal((await federatedAveraging(plan(changes), runner)).length, rounds);
  });
}

test('a failing stage ends the run: nothing is averaged from a part of the clients', async () => {
  const { runner, calls } = quadraticRunner();
  const broken: Runner = { ...runner, train: () => Promise.reject(new Error('client 1 is gone')) };
  await assert.rejects(federatedAveraging(plan({ rounds: 2 }), broken), /client 1 is gone/);
  assert.deepEqual(calls, ['init']);
});

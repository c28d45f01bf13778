/** The round loop over a runner without files: federated averaging of one number, where the answer is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { federatedAveraging } from './round-loop.js';
import type { ClientResult, Runner } from './runner.js';

/** Client k holds `examples[k]` examples of the value `targets[k]`; its loss is (w - target)². */
const examples = [10, 30, 60];
const targets = [1, 2, 5];
const STEP = 0.25;

/** One gradient step of each client per round; models are kept by their name. */
function quadraticRunner(): { readonly runner: Runner; readonly calls: string[] } {
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
    train: async ({ round, global, clients }) => {
      calls.push(`train ${round} from ${global.file}: ${clients.join()}`);
      return clients.map((client): ClientResult => {
        const weight = weightOf(global.file);
        const update = save(`w${round}/${client}`, weight - STEP * 2 * (weight - (targets[client] ?? 0)));
        return { client, examples: examples[client] ?? 0, seconds: 0, sha256: update.sha256 };
      });
    },
    aggregate: async ({ round, updates }) => {
      calls.push(`aggregate ${round}`);
      const total = updates.reduce((sum, update) => sum + update.examples, 0);
      const mean = updates.reduce(
        (sum, update) => sum + (update.examples / total) * weightOf(update.sha256 ?? ''),
        0,
      );
      return save(`w${round}`, mean);
    },
    evaluate: async ({ round, global }) => {
      calls.push(`evaluate ${round} of ${global.file}`);
      return { examples: 100, loss: weightOf(global.file), accuracy: 0 };
    },
  };
  return { runner, calls };
}

test('each round starts from the last one’s average, and the average converges to the weighted optimum', async () => {
  const { runner, calls } = quadraticRunner();
  const outcomes = await federatedAveraging({ clients: 3, rounds: 20 }, runner);
  assert.deepEqual(calls.slice(0, 7), [
    'init',
    'train 1 from w0: 0,1,2',
    'aggregate 1',
    'evaluate 1 of w1',
    'train 2 from w1: 0,1,2',
    'aggregate 2',
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

test('a failing stage ends the run: nothing is averaged from a part of the clients', async () => {
  const { runner, calls } = quadraticRunner();
  const broken: Runner = { ...runner, train: () => Promise.reject(new Error('client 1 is gone')) };
  await assert.rejects(federatedAveraging({ clients: 3, rounds: 2 }, broken), /client 1 is gone/);
  assert.deepEqual(calls, ['init']);
});

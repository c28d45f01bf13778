/** Local training on a real engine: epochs and steps see the same batches, and FedSGD is one step on all clients' data. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { partsOf } from '../../test/datasets.js';
import { quarterExamples } from '../../test/programs.js';
import type { Weights } from '../core/weights.js';
import { type Examples, takeExamples } from '../federation/examples.js';
import { describeModel } from '../model/model-zoo.js';
import { initialWeights } from '../model/parameters.js';
import { assertClose, hashOf } from './conformance/engine-runs.js';
import type { OptimizerSettings } from './engine.js';
import {
  epochRecords,
  type LocalTrainingOptions,
  type LocalTrainingProgress,
  trainLocally,
} from './local-training.js';
import { plainOnnxEngine } from './onnx/onnx-engine.js';

const PLAIN_SGD: OptimizerSettings = { kind: 'sgd', learningRate: 0.1, momentum: 0 };
const description = describeModel('2nn', { inputShape: [12, 12, 1], outputs: 4 });

type Work = Pick<LocalTrainingOptions, 'epochs' | 'localSteps' | 'batchSize'>;

async function train(examples: Examples, work: Work, weights: Weights = initialWeights(description, 1)) {
  const settings = { optimizer: PLAIN_SGD, seed: 5, threads: 1 };
  const session = await plainOnnxEngine.createTrainingSession({ description, weights }, settings);
  const told: LocalTrainingProgress[] = [];
  const onStep = (progress: LocalTrainingProgress) => told.push(progress);
  const last = await trainLocally(session, examples, { ...work, seed: 5, onStep } as LocalTrainingOptions);
  const trained = await session.weights();
  await session.dispose();
  return { trained, hash: hashOf(trained), told, last };
}

/** The examples from `start` to `end`. */
function slice(examples: Examples, start: number, end: number): Examples {
  return takeExamples(
    examples,
    Array.from({ length: end - start }, (_, at) => start + at),
  );
}

describe('local training', () => {
  const examples = quarterExamples(50, 1);

  it('goes through shuffled epochs in order, whether epochs or steps are counted', async () => {
    const byEpochs = await train(examples, { epochs: 2, batchSize: 20 });
    assert.equal(byEpochs.told.length, 6);
    assert.equal((await train(examples, { localSteps: 6, batchSize: 20 })).hash, byEpochs.hash);
    const within = await train(examples, { localSteps: 4, batchSize: 20 });
    assert.notEqual(within.hash, byEpochs.hash);
    // Its steps are the first four of the six.
    assert.deepEqual(
      within.told.map(({ loss }) => loss),
      byEpochs.told.slice(0, 4).map(({ loss }) => loss),
    );
  });

  it('tells how far it is, to exactly the end', async () => {
    const { told, last } = await train(examples, { localSteps: 4, batchSize: 20 });
    assert.deepEqual(
      told.map(({ examplesDone, epoch }) => [examplesDone, epoch]),
      [
        [20, 1],
        [40, 1],
        [50, 1],
        [70, 2],
      ],
    );
    assert.deepEqual([last.examplesTotal, last.epochs, last.examplesDone], [70, 2, 70]);
    const { history } = last;
    assert.deepEqual(
      history.map(({ epoch, examples, loss }) => [epoch, examples, loss]),
      [
        [1, 50, told[2]?.loss],
        [2, 20, told[3]?.loss],
      ],
      'what each epoch came to, also where steps end within it',
    );
    assert.equal(history[1]?.accuracy, last.accuracy);
    assert.ok(history.every(({ seconds }) => seconds > 0));
    assert.deepEqual(
      epochRecords(history)?.map(({ epoch, examples }) => [epoch, examples]),
      [
        [1, 50],
        [2, 20],
      ],
    );
    assert.equal(epochRecords(history.slice(0, 1)), undefined);
  });

  it('takes a whole shard in one step', async () => {
    const { told } = await train(examples, { epochs: 3, batchSize: 'all' });
    assert.deepEqual(
      told.map(({ examplesDone }) => examplesDone),
      [50, 100, 150],
    );
  });

  it("averages one step of each client's whole shard to one step on all of them (FedSGD)", async () => {
    const work = { localSteps: 1, batchSize: 'all' } as const;
    const bounds = [0, 7, 30, 50];
    let global = initialWeights(description, 1);
    let central = global;
    for (let round = 0; round < 3; round++) {
      const updates = await Promise.all(
        bounds.slice(1).map(async (end, client) => {
          const shard = slice(examples, bounds[client] as number, end);
          return { ...(await train(shard, work, global)), count: partsOf(shard).labels.length };
        }),
      );
      global = global.map((array, index) => ({
        ...array,
        values: array.values.map((_, at) =>
          updates.reduce(
            (sum, { trained, count }) =>
              sum + ((trained[index]?.values[at] as number) * count) / partsOf(examples).labels.length,
            0,
          ),
        ),
      }));
      central = (await train(examples, work, central)).trained;
    }
    assert.notEqual(hashOf(central), hashOf(initialWeights(description, 1)));
    for (const [index, { name: what, values }] of central.entries()) {
      assertClose(global[index]?.values, values, { what, tolerance: 1e-5 });
    }
  });
});

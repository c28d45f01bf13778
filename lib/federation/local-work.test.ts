/** How many steps, epochs and examples a client's work comes to. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { describeLocalWork, planLocalWork } from './local-work.js';

describe('local work', () => {
  it('counts the steps of whole epochs, the last batch of each being smaller', () => {
    const plan = planLocalWork(25, { epochs: 3, batchSize: 10 });
    assert.deepEqual(plan, { batch: 10, steps: 9, epochs: 3, examples: 75 });
  });

  it('ends within an epoch where steps are counted', () => {
    const plan = planLocalWork(25, { localSteps: 4, batchSize: 10 });
    assert.deepEqual(plan, { batch: 10, steps: 4, epochs: 2, examples: 35 });
    assert.equal(planLocalWork(25, { localSteps: 3, batchSize: 10 }).examples, 25);
  });

  it('takes the whole shard as one batch', () => {
    const plan = planLocalWork(600, { localSteps: 1, batchSize: 'all' });
    assert.deepEqual(plan, { batch: 600, steps: 1, epochs: 1, examples: 600 });
    assert.equal(planLocalWork(600, { epochs: 5, batchSize: 'all' }).steps, 5);
  });

  it('is nothing on an empty shard', () => {
    for (const work of [{ epochs: 2 }, { localSteps: 2 }] as const) {
      const { steps, epochs, examples } = planLocalWork(0, { ...work, batchSize: 'all' });
      assert.deepEqual([steps, epochs, examples], [0, 0, 0]);
    }
  });

  it('counts the same whether epochs or their steps are asked for', () => {
    const size = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(size, size, fc.integer({ min: 1, max: 9 }), (count, batchSize, epochs) => {
        const plan = planLocalWork(count, { epochs, batchSize });
        assert.equal(plan.examples, epochs * count);
        assert.deepEqual(planLocalWork(count, { localSteps: plan.steps, batchSize }), plan);
      }),
    );
  });

  it('is told in words', () => {
    assert.equal(describeLocalWork({ epochs: 2 }), '2 local epochs');
    assert.equal(describeLocalWork({ localSteps: 1 }), '1 local step');
  });
});

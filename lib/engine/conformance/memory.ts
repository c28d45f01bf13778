/** What every engine gives back: memory. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { memoryMb, trend } from '../../../test/processes.js';
import type { EngineSuite } from './engine-under-test.js';
import { ADAM, largeModel, noise } from './problems.js';

/** Steps before memory is watched, steps between two readings, and readings where the first two do not settle it. */
const MEMORY = { warmUpSteps: 20, steps: 80, readings: 7 };

/** Defines the test of memory. */
export function describeMemory(suite: EngineSuite): void {
  it('keeps its memory over steps, and gives it back', async () => {
    const model = largeModel();
    const batch = noise(model.description, 4);
    const initially = suite.count?.();
    const session = await suite
      .engine()
      .createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
    const predictor = await suite.engine().createPredictSession(model, { threads: 1 });
    const run = async (steps: number) => {
      await session.restart({ weights: model.weights, seed: 5 });
      for (let step = 0; step < steps; step++) {
        await session.step(batch);
        await predictor.predict(batch.inputs, 4);
      }
    };
    await run(MEMORY.warmUpSteps);
    const kept = suite.count?.();
    // A leak grows from reading to reading; what an allocator takes once, or a collector leaves lying, does not.
    const readings = [await memoryMb()];
    do {
      await run(MEMORY.steps);
      readings.push(await memoryMb());
    } while (trend(readings) >= suite.growthMb && readings.length < MEMORY.readings);
    assert.deepEqual(suite.count?.(), kept);
    const told = readings.map((reading) => reading.toFixed(1)).join(', ');
    assert.ok(trend(readings) < suite.growthMb, `${told} MB, ${MEMORY.steps} steps from one to the next`);
    await Promise.all([session.dispose(), predictor.dispose()]);
    assert.deepEqual(suite.count?.(), initially);
  });
}

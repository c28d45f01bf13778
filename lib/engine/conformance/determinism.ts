/** What every engine repeats: the same bytes from the same start, in one session or another, or from a file. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Weights } from '../../core/weights.js';
import { decodeKerasFile, encodeKerasFile } from '../../formats/keras/keras-hdf5.js';
import { kerasConfig, modelFromKeras } from '../../model/keras/keras-model.js';
import type { Model } from '../../model/model-description.js';
import { hashOf, predict, train } from './engine-runs.js';
import type { EngineSuite } from './engine-under-test.js';
import { ADAM, learner, OPTIMIZERS, quarters } from './problems.js';

/** Defines the tests of determinism. */
export function describeDeterminism(suite: EngineSuite): void {
  describe('determinism', () => {
    it('gives the same bytes again, and others from another seed', async () => {
      const model = learner({ dropout: true });
      const hash = hashOf((await train(suite.engine(), model, { steps: 8 })).weights);
      assert.equal(hashOf((await train(suite.engine(), model, { steps: 8 })).weights), hash);
      assert.notEqual(hashOf((await train(suite.engine(), model, { steps: 8, seed: 6 })).weights), hash);
    });

    it('gives the same bytes to two sessions that take turns', async () => {
      const model = learner({ dropout: true });
      const make = () =>
        suite.engine().createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
      const [one, two] = [await make(), await make()];
      for (let step = 0; step < 4; step++)
        await Promise.all([one.step(quarters(9, step)), two.step(quarters(9, step))]);
      const [first, second] = [hashOf(await one.weights()), hashOf(await two.weights())];
      await Promise.all([one.dispose(), two.dispose()]);
      assert.equal(first, second);
    });

    for (const [what, optimizer] of Object.entries(OPTIMIZERS)) {
      it(`gives the bytes of a fresh session after a restart, ${what}`, async () => {
        const model = learner({ dropout: true });
        const trained = (await train(suite.engine(), model, { steps: 3, optimizer })).weights;
        const fresh = async (weights: Weights, seed: number, learningRate: number) => {
          const start = { description: model.description, weights };
          const options = { steps: 4, seed, proximal: 0.5, optimizer: { ...optimizer, learningRate } };
          return hashOf((await train(suite.engine(), start, options)).weights);
        };
        const settings = { optimizer, proximal: 0.5, batchSize: 20, seed: 5, threads: 1 };
        const session = await suite.engine().createTrainingSession(model, settings);
        const on = async (steps: number) => {
          for (let step = 0; step < steps; step++) await session.step(quarters(20, step));
          return hashOf(await session.weights());
        };
        // An odd number of steps, batches of another size: nothing of them may stay.
        await session.step(quarters(7, 99));
        await session.restart({ weights: trained, seed: 6, learningRate: 0.02 });
        assert.equal(hashOf(await session.weights()), hashOf(trained));
        assert.equal(await on(4), await fresh(trained, 6, 0.02));
        await on(1);
        await session.restart({ weights: model.weights, seed: 5 });
        assert.equal(await on(4), await fresh(model.weights, 5, optimizer.learningRate));
        await session.dispose();
      });
    }

    it('refuses to restart with weights that do not fit, and goes on as it was', async () => {
      const model = learner({ dropout: true });
      const session = await suite
        .engine()
        .createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
      const turned = model.weights.map((array) => ({ ...array, shape: [...array.shape].reverse() }));
      const isModelError = { name: 'ModelError', message: /of shape \[/ };
      await assert.rejects(session.restart({ weights: turned, seed: 0 }), isModelError);
      await assert.rejects(session.restart({ weights: [], seed: 0 }), { message: /0 weight arrays/ });
      assert.equal(hashOf(await session.weights()), hashOf(model.weights));
      await session.dispose();
    });

    it("leaves the caller's arrays alone, and hands out copies", async () => {
      const model = learner({ dropout: false });
      const hash = hashOf(model.weights);
      const session = await suite
        .engine()
        .createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
      const batch = quarters(5, 1);
      const images = batch.inputs[0]?.slice();
      await session.step(batch);
      const taken = await session.weights();
      const trained = hashOf(taken);
      assert.deepEqual(batch.inputs, [images]);
      assert.equal(hashOf(model.weights), hash);
      assert.notEqual(trained, hash);
      for (const { values } of taken) values.fill(7);
      const again = await session.weights(taken);
      assert.equal(hashOf(again), trained);
      assert.ok(again.every(({ values }, index) => values === taken[index]?.values));
      for (const { values } of taken) values.fill(7);
      await session.step(batch);
      assert.ok(taken.every(({ values }) => values.every((value) => value === 7)));
      await session.dispose();
    });
  });

  it('trains on from a saved model as from the one in memory', async () => {
    const { description, weights: initial } = learner({ dropout: true });
    const { weights } = await train(suite.engine(), { description, weights: initial }, { steps: 5 });
    const bytes = await encodeKerasFile({
      modelConfig: kerasConfig(description),
      weights,
      kerasVersion: '2.15.0',
    });
    const loaded = modelFromKeras(await decodeKerasFile(bytes, 'saved.h5'), 'saved.h5');
    const batch = quarters(6, 99);
    const kept: Model = { description, weights };
    assert.deepEqual(
      await predict(suite.engine(), loaded, batch),
      await predict(suite.engine(), kept, batch),
    );
    const [on, again] = [
      await train(suite.engine(), kept, { steps: 3 }),
      await train(suite.engine(), loaded, { steps: 3 }),
    ];
    assert.equal(hashOf(again.weights), hashOf(on.weights));
  });
}

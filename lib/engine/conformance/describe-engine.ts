/** The tests that every engine on every backend passes, defined for `node:test`. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fixedImages, fixturePath, KERAS_FIXTURES, kerasExpectation } from '../../../test/keras-fixtures.js';
import { memoryMb, trend } from '../../../test/processes.js';
import { oracle } from '../../../test/tfjs-oracle.js';
import type { Weights } from '../../core/weights.js';
import { decodeKerasFile, encodeKerasFile, readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { kerasConfig, modelFromKeras } from '../../model/keras/keras-model.js';
import type { Model, ModelDescription } from '../../model/model-description.js';
import { modelParameters } from '../../model/parameters.js';
import type { Engine, OptimizerSettings } from '../engine.js';
import { plainOnnxEngine } from '../onnx/onnx-engine.js';
import { assertClose, gradient, hashOf, PLAIN_STEP, predict, train } from './engine-runs.js';
import {
  ADAM,
  GRADIENT_CASES,
  largeModel,
  learner,
  noise,
  quarters,
  SLOPE_CASES,
  unevenWeights,
  wideLearner,
} from './problems.js';

/** An engine under test. */
interface EngineUnderTest {
  readonly load: () => Promise<Engine>;
  /** Why it cannot run here, to skip its tests. */
  readonly skip?: string | false | undefined;
  /** Things that the engine keeps, where it counts them: must not grow over steps, and go with their session. */
  readonly count?: () => Readonly<Record<string, number>>;
  /** How much the whole process may grow over the watched steps, where a driver keeps memory of its own for a while. */
  readonly growthMb?: number;
  /** Largest relative difference of forward passes and gradients. */
  readonly tolerance?: number;
}

/** Agreement with the reference over 50 steps of Adam, which makes small differences larger. */
const TRAINED_TOLERANCE = 2e-3;
const STEPS = 50;
/** Steps before memory is watched, steps between two readings, and readings where the first two do not settle it. */
const MEMORY = { warmUpSteps: 20, steps: 80, readings: 7 };
/** Between the noise of garbage collection and the 32 MB of a copy of all weights per step. */
const GROWTH_MB = 16;

/** Those that keep something from step to step, and one that keeps nothing. */
const OPTIMIZERS: Readonly<Record<string, OptimizerSettings>> = {
  Adam: ADAM,
  'SGD with momentum': { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
  'plain SGD': { kind: 'sgd', learningRate: 0.05, momentum: 0 },
};

/** Defines the conformance tests of one engine. */
export function describeEngine(
  name: string,
  { load, skip, count, tolerance = 1e-4, growthMb = GROWTH_MB }: EngineUnderTest,
): void {
  describe(`${name} conforms`, { skip: skip ?? false }, () => {
    let engine: Engine;
    before(async () => {
      engine = await load();
    });

    describe('forward', () => {
      for (const fixture of KERAS_FIXTURES) {
        it(`predicts what Keras did: ${fixture}`, async () => {
          const path = fixturePath(`${fixture}.h5`);
          const model = modelFromKeras(await readKerasFile(path), path);
          const { predictions } = kerasExpectation(fixture);
          const images = fixedImages(predictions.length, model.description.inputShape);
          const found = await predict(engine, model, images, predictions.length);
          assertClose(found, predictions.flat(), { what: fixture, tolerance });
        });
      }

      it('gives each image the same whatever batch it comes in', async () => {
        const model = learner({ dropout: true });
        const { images } = quarters(5, 1);
        const together = await predict(engine, model, images, 5);
        const session = await engine.createPredictSession(model, { threads: 1 });
        for (let at = 0; at < 5; at++) {
          const alone = await session.predict(images.slice(at * 144, at * 144 + 144), 1);
          assertClose(alone, together.slice(at * 4, at * 4 + 4), { what: `image ${at}`, tolerance: 1e-5 });
        }
        await session.dispose();
      });
    });

    describe('gradients', () => {
      for (const [what, description] of Object.entries(GRADIENT_CASES)) {
        it(`of ${what} are the oracle's`, async () => {
          const [weights, batch] = [unevenWeights(description), noise(description, 3)];
          const expected = await oracle(description, weights, batch);
          const found = await gradient(engine, { description, weights }, batch);
          assertClose(Float32Array.of(found.loss), [expected.loss], { what: 'loss', tolerance });
          for (const [index, values] of expected.gradients.entries()) {
            if (values === undefined) continue;
            assertClose(found.gradients[index], values, { what: weights[index]?.name ?? '', tolerance });
          }
        });
      }

      for (const [what, description] of Object.entries(SLOPE_CASES)) {
        it(`of ${what} are the slope of the loss`, async () => {
          const slope = await slopeAlongGradient(engine, description);
          assert.ok(Math.abs(slope - 1) < 0.01, `slope ${slope} of the gradient's length`);
        });
      }
    });

    describe('training', () => {
      for (const dropout of [false, true]) {
        it(`learns what the reference does, dropout ${dropout ? 'on' : 'off'}`, async () => {
          const model = learner({ dropout });
          const options = { steps: STEPS, optimizer: { ...ADAM, learningRate: 0.01 } };
          const found = await train(engine, model, options);
          const expected = await train(plainOnnxEngine, model, options);
          assert.ok((found.results[0]?.loss ?? 0) > 1.1, 'starts near ln 4');
          assert.ok((found.results.at(-1)?.loss ?? 9) < 0.5, `ends at ${found.results.at(-1)?.loss}`);
          for (const [step, { loss, correct }] of expected.results.entries()) {
            const result = found.results[step];
            assert.ok(
              Math.abs((result?.loss ?? Number.NaN) - loss) < 1e-3,
              `step ${step}: ${result?.loss}, ${loss}`,
            );
            assert.ok(
              Math.abs((result?.correct ?? Number.NaN) - correct) <= 1,
              `step ${step}: ${result?.correct}`,
            );
          }
          for (const [index, { name: what, values }] of expected.weights.entries()) {
            assertClose(found.weights[index]?.values, values, { what, tolerance: TRAINED_TOLERANCE });
          }
        });
      }

      for (const [what, optimizer] of Object.entries(OPTIMIZERS)) {
        for (const [size, model] of Object.entries({
          small: learner({ dropout: false }),
          wide: wideLearner(),
        })) {
          it(`follows the reference with ${what}, arrays ${size}`, async () => {
            const found = await train(engine, model, { steps: 10, optimizer });
            const expected = await train(plainOnnxEngine, model, { steps: 10, optimizer });
            for (const [index, { name, values }] of expected.weights.entries()) {
              assertClose(found.weights[index]?.values, values, { what: name, tolerance: 1e-3 });
            }
          });
        }
      }

      it('is pulled back to where it started by a proximal term', async () => {
        const model = learner({ dropout: false });
        const [learningRate, proximal] = [0.1, 0.7];
        const after = async (steps: number, given: { readonly proximal?: number }) => {
          const optimizer = { kind: 'sgd', learningRate, momentum: 0 } as const;
          return (await train(engine, model, { steps, optimizer, ...given })).weights;
        };
        const [first, free, held] = [await after(1, {}), await after(2, {}), await after(2, { proximal })];
        // At the start there is nothing to pull at.
        assert.equal(hashOf(await after(1, { proximal })), hashOf(first));
        for (const [index, { name: what, values }] of model.weights.entries()) {
          const expected = values.map((start, at) => {
            const moved = (first[index]?.values[at] as number) - start;
            return (free[index]?.values[at] as number) - learningRate * proximal * moved;
          });
          assert.ok(moves(first[index]?.values, values), `${what} moves`);
          assertClose(held[index]?.values, expected, { what, tolerance: 1e-5 });
        }
      });

      for (const [what, optimizer] of Object.entries(OPTIMIZERS)) {
        it(`follows the reference with a proximal term, ${what}; of 0 it changes nothing`, async () => {
          const model = wideLearner();
          const found = await train(engine, model, { steps: 10, optimizer, proximal: 0.5 });
          const expected = await train(plainOnnxEngine, model, { steps: 10, optimizer, proximal: 0.5 });
          for (const [index, { name, values }] of expected.weights.entries()) {
            assertClose(found.weights[index]?.values, values, { what: name, tolerance: TRAINED_TOLERANCE });
          }
          const free = hashOf((await train(engine, model, { steps: 4, optimizer })).weights);
          const unheld = await train(engine, model, { steps: 4, optimizer, proximal: 0 });
          assert.equal(hashOf(unheld.weights), free);
        });
      }

      it('leaves moving statistics out of a proximal term', async () => {
        const description = GRADIENT_CASES['average pools and batch normalization'] as ModelDescription;
        const model = { description, weights: unevenWeights(description) };
        const options = { steps: 2, optimizer: PLAIN_STEP, batchOf: () => noise(description, 6) };
        const free = (await train(engine, model, options)).weights;
        const held = (await train(engine, model, { ...options, proximal: 0.5 })).weights;
        for (const [index, { role, trainable }] of modelParameters(description).entries()) {
          const [one, other] = [free[index]?.values, held[index]?.values];
          if (trainable) assert.notDeepEqual(other, one, role);
          else assert.deepEqual(other, one, role);
        }
      });

      it('adds a correction to the gradient of every step, before momentum and beside the proximal term', async () => {
        const description = GRADIENT_CASES['average pools and batch normalization'] as ModelDescription;
        const model = { description, weights: unevenWeights(description) };
        const parameters = modelParameters(description);
        const correction = model.weights.map(({ values, ...array }, index) => ({
          ...array,
          values: values.map((_, at) => (parameters[index]?.trainable ? ((at % 7) - 3) / 50 : 0)),
        }));
        const [learningRate, momentum] = [0.01, 0.5];
        const options = {
          steps: 1,
          optimizer: { kind: 'sgd', learningRate, momentum },
          proximal: 0.5,
          batchOf: () => noise(description, 6),
        } as const;
        const free = (await train(engine, model, options)).weights;
        const corrected = (await train(engine, model, { ...options, correction })).weights;
        for (const [index, { name: what, values }] of correction.entries()) {
          const expected = values.map(
            (each, at) => (free[index]?.values[at] as number) - learningRate * each,
          );
          assertClose(corrected[index]?.values, expected, { what, tolerance: 1e-6 });
        }
        // From step to step the correction stays, and a restart takes the next one without anything of the last.
        const twice = { ...options, steps: 2 };
        const other = correction.map(({ values, ...array }) => ({
          ...array,
          values: values.map((each) => -2 * each),
        }));
        const session = await engine.createTrainingSession(model, {
          ...twice,
          correction,
          seed: 5,
          threads: 1,
        });
        await session.step(noise(description, 6));
        await session.restart({ weights: model.weights, seed: 5, correction: other });
        for (let step = 0; step < 2; step++) await session.step(noise(description, 6));
        const restarted = hashOf(await session.weights());
        await session.dispose();
        const fresh = await engine.createTrainingSession(model, {
          ...twice,
          correction: other,
          seed: 5,
          threads: 1,
        });
        for (let step = 0; step < 2; step++) await fresh.step(noise(description, 6));
        assert.equal(restarted, hashOf(await fresh.weights()));
        await fresh.dispose();
      });

      it('folds batch statistics into the moving ones', async () => {
        const description = GRADIENT_CASES['average pools and batch normalization'] as ModelDescription;
        const [weights, batch] = [unevenWeights(description), noise(description, 6)];
        const model = { description, weights };
        const found = await gradient(engine, model, batch);
        const expected = await gradient(plainOnnxEngine, model, batch);
        for (const [index, { layer, role, trainable }] of modelParameters(description).entries()) {
          if (trainable) continue;
          const change = expected.gradients[index] as Float32Array;
          assert.ok(
            change.some((value) => Math.abs(value) > 1e-3),
            'they move',
          );
          assertClose(found.gradients[index], change, { what: `${layer}/${role}`, tolerance });
        }
      });

      it('takes batches of any size from step to step', async () => {
        const model = learner({ dropout: true });
        const session = await engine.createTrainingSession(model, {
          optimizer: ADAM,
          batchSize: 20,
          seed: 5,
          threads: 1,
        });
        const reference = await plainOnnxEngine.createTrainingSession(model, {
          optimizer: ADAM,
          seed: 5,
          threads: 1,
        });
        for (const size of [20, 7, 1, 20]) {
          const batch = quarters(size, size);
          const [found, expected] = [await session.step(batch), await reference.step(batch)];
          assert.ok(Math.abs(found.loss - expected.loss) < 1e-3, `${size}: ${found.loss}, ${expected.loss}`);
        }
        await Promise.all([session.dispose(), reference.dispose()]);
      });
    });

    describe('determinism', () => {
      it('gives the same bytes again, and others from another seed', async () => {
        const model = learner({ dropout: true });
        const hash = hashOf((await train(engine, model, { steps: 8 })).weights);
        assert.equal(hashOf((await train(engine, model, { steps: 8 })).weights), hash);
        assert.notEqual(hashOf((await train(engine, model, { steps: 8, seed: 6 })).weights), hash);
      });

      it('gives the same bytes to two sessions that take turns', async () => {
        const model = learner({ dropout: true });
        const make = () => engine.createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
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
          const trained = (await train(engine, model, { steps: 3, optimizer })).weights;
          const fresh = async (weights: Weights, seed: number, learningRate: number) => {
            const start = { description: model.description, weights };
            const options = { steps: 4, seed, proximal: 0.5, optimizer: { ...optimizer, learningRate } };
            return hashOf((await train(engine, start, options)).weights);
          };
          const settings = { optimizer, proximal: 0.5, batchSize: 20, seed: 5, threads: 1 };
          const session = await engine.createTrainingSession(model, settings);
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
        const session = await engine.createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
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
        const session = await engine.createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
        const batch = quarters(5, 1);
        const images = batch.images.slice();
        await session.step(batch);
        const taken = await session.weights();
        const trained = hashOf(taken);
        assert.deepEqual(batch.images, images);
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
      const { weights } = await train(engine, { description, weights: initial }, { steps: 5 });
      const bytes = await encodeKerasFile({
        modelConfig: kerasConfig(description),
        weights,
        kerasVersion: '2.15.0',
      });
      const loaded = modelFromKeras(await decodeKerasFile(bytes, 'saved.h5'), 'saved.h5');
      const { images } = quarters(6, 99);
      const kept: Model = { description, weights };
      assert.deepEqual(await predict(engine, loaded, images, 6), await predict(engine, kept, images, 6));
      const [on, again] = [
        await train(engine, kept, { steps: 3 }),
        await train(engine, loaded, { steps: 3 }),
      ];
      assert.equal(hashOf(again.weights), hashOf(on.weights));
    });

    it('keeps its memory over steps, and gives it back', async () => {
      const model = largeModel();
      const batch = noise(model.description, 4);
      const initially = count?.();
      const session = await engine.createTrainingSession(model, { optimizer: ADAM, seed: 5, threads: 1 });
      const predictor = await engine.createPredictSession(model, { threads: 1 });
      const run = async (steps: number) => {
        await session.restart({ weights: model.weights, seed: 5 });
        for (let step = 0; step < steps; step++) {
          await session.step(batch);
          await predictor.predict(batch.images, 4);
        }
      };
      await run(MEMORY.warmUpSteps);
      const kept = count?.();
      // A leak grows from reading to reading; what an allocator takes once, or a collector leaves lying, does not.
      const readings = [await memoryMb()];
      do {
        await run(MEMORY.steps);
        readings.push(await memoryMb());
      } while (trend(readings) >= growthMb && readings.length < MEMORY.readings);
      assert.deepEqual(count?.(), kept);
      const told = readings.map((reading) => reading.toFixed(1)).join(', ');
      assert.ok(trend(readings) < growthMb, `${told} MB, ${MEMORY.steps} steps from one to the next`);
      await Promise.all([session.dispose(), predictor.dispose()]);
      assert.deepEqual(count?.(), initially);
    });
  });
}

/** Whether any of two arrays' elements differ. */
function moves(found: Float32Array | undefined, from: Float32Array): boolean {
  return from.some((value, at) => found?.[at] !== value);
}

/** The loss's rise along the gradient, measured by a central difference, in units of the gradient's length. */
async function slopeAlongGradient(engine: Engine, description: ModelDescription): Promise<number> {
  const [weights, batch] = [unevenWeights(description), noise(description, 5)];
  const parameters = modelParameters(description);
  const { gradients } = await gradient(engine, { description, weights }, batch);
  const trained = gradients.map((values, index) =>
    parameters[index]?.trainable ? values : values.map(() => 0),
  );
  const length = Math.hypot(...trained.flatMap((values) => [...values]));
  const step = 3e-3;
  const along = async (sign: number) => {
    const moved = weights.map((array, index) => ({
      ...array,
      values: array.values.map(
        (value, at) => value + (sign * step * (trained[index]?.[at] as number)) / length,
      ),
    }));
    return (await gradient(engine, { description, weights: moved }, batch)).loss;
  };
  return ((await along(1)) - (await along(-1))) / (2 * step) / length;
}

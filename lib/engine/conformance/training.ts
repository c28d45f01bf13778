/** How every engine learns: as the plain ONNX engine does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOSS_NAMES } from '../../federation/loss.js';
import type { ModelDescription } from '../../model/model-description.js';
import { modelParameters } from '../../model/parameters.js';
import { plainOnnxEngine } from '../onnx/onnx-engine.js';
import { assertClose, gradient, hashOf, PLAIN_STEP, train } from './engine-runs.js';
import type { EngineSuite } from './engine-under-test.js';
import {
  ADAM,
  GRADIENT_CASES,
  learner,
  lossProblem,
  noise,
  OPTIMIZERS,
  quarters,
  unevenWeights,
  wideLearner,
} from './problems.js';

/** Agreement with the reference over 50 steps of Adam, which makes small differences larger. */
const TRAINED_TOLERANCE = 2e-3;
const STEPS = 50;

/** Defines the tests of training. */
export function describeTraining(suite: EngineSuite): void {
  describe('training', () => {
    for (const dropout of [false, true]) {
      it(`learns what the reference does, dropout ${dropout ? 'on' : 'off'}`, async () => {
        const model = learner({ dropout });
        const options = { steps: STEPS, optimizer: { ...ADAM, learningRate: 0.01 } };
        const found = await train(suite.engine(), model, options);
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
            Math.abs((result?.correct ?? Number.NaN) - (correct ?? Number.NaN)) <= 1,
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
          const found = await train(suite.engine(), model, { steps: 10, optimizer });
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
        return (await train(suite.engine(), model, { steps, optimizer, ...given })).weights;
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
        const found = await train(suite.engine(), model, { steps: 10, optimizer, proximal: 0.5 });
        const expected = await train(plainOnnxEngine, model, { steps: 10, optimizer, proximal: 0.5 });
        for (const [index, { name, values }] of expected.weights.entries()) {
          assertClose(found.weights[index]?.values, values, { what: name, tolerance: TRAINED_TOLERANCE });
        }
        const free = hashOf((await train(suite.engine(), model, { steps: 4, optimizer })).weights);
        const unheld = await train(suite.engine(), model, { steps: 4, optimizer, proximal: 0 });
        assert.equal(hashOf(unheld.weights), free);
      });
    }

    it('leaves moving statistics out of a proximal term', async () => {
      const description = GRADIENT_CASES['average pools and batch normalization'] as ModelDescription;
      const model = { description, weights: unevenWeights(description) };
      const options = { steps: 2, optimizer: PLAIN_STEP, batchOf: () => noise(description, 6) };
      const free = (await train(suite.engine(), model, options)).weights;
      const held = (await train(suite.engine(), model, { ...options, proximal: 0.5 })).weights;
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
      const free = (await train(suite.engine(), model, options)).weights;
      const corrected = (await train(suite.engine(), model, { ...options, correction })).weights;
      for (const [index, { name: what, values }] of correction.entries()) {
        const expected = values.map((each, at) => (free[index]?.values[at] as number) - learningRate * each);
        assertClose(corrected[index]?.values, expected, { what, tolerance: 1e-6 });
      }
      // From step to step the correction stays, and a restart takes the next one without anything of the last.
      const twice = { ...options, steps: 2 };
      const other = correction.map(({ values, ...array }) => ({
        ...array,
        values: values.map((each) => -2 * each),
      }));
      const session = await suite.engine().createTrainingSession(model, {
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
      const fresh = await suite.engine().createTrainingSession(model, {
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
      const found = await gradient(suite.engine(), model, batch);
      const expected = await gradient(plainOnnxEngine, model, batch);
      for (const [index, { layer, role, trainable }] of modelParameters(description).entries()) {
        if (trainable) continue;
        const change = expected.gradients[index] as Float32Array;
        assert.ok(
          change.some((value) => Math.abs(value) > 1e-3),
          'they move',
        );
        assertClose(found.gradients[index], change, { what: `${layer}/${role}`, tolerance: suite.tolerance });
      }
    });

    for (const text of [
      ...LOSS_NAMES,
      ...['huber:delta=0.5', 'binary_crossentropy:label_smoothing=0.1'],
      ...['categorical_crossentropy:label_smoothing=0.2', 'categorical_crossentropy:from_logits'],
    ]) {
      it(`follows the reference by the loss ${text}`, async () => {
        const { loss, model, batchOf } = lossProblem(text);
        const options = { steps: 5, optimizer: PLAIN_STEP, loss, batchOf };
        const found = await train(suite.engine(), model, options);
        const expected = await train(plainOnnxEngine, model, options);
        for (const [step, { loss: wanted, correct }] of expected.results.entries()) {
          const result = found.results[step];
          assert.ok(
            Math.abs((result?.loss ?? Number.NaN) - wanted) < 1e-4,
            `${step}: ${result?.loss}, ${wanted}`,
          );
          assert.ok(Math.abs((result?.correct ?? 0) - (correct ?? 0)) < 1e-3, `${step}: ${result?.correct}`);
        }
        for (const [index, { name: what, values }] of expected.weights.entries()) {
          assertClose(found.weights[index]?.values, values, { what, tolerance: 1e-4 });
        }
      });
    }

    it('follows the reference by a loss that counts twice', async () => {
      const { loss, model, batchOf } = lossProblem('mse');
      const options = { steps: 2, optimizer: PLAIN_STEP, loss: [{ ...loss, weight: 2 }], batchOf };
      const found = await train(suite.engine(), model, options);
      const expected = await train(plainOnnxEngine, model, options);
      const once = await train(plainOnnxEngine, model, { ...options, loss });
      const first = ({ results: [result] }: typeof found) => result?.loss ?? Number.NaN;
      assert.ok(Math.abs(first(expected) - 2 * first(once)) < 1e-5, 'the reference counts it twice');
      assert.ok(Math.abs(first(found) - first(expected)) < 1e-4, `${first(found)}, ${first(expected)}`);
      for (const [index, { name: what, values }] of expected.weights.entries()) {
        assertClose(found.weights[index]?.values, values, { what, tolerance: 1e-4 });
      }
    });

    it('counts each example by its weight', async () => {
      const model = learner({ dropout: false });
      const once = quarters(4, 3);
      const rows = [0, 0, 2, 3];
      const twice = {
        count: 4,
        inputs: once.inputs.map((each) =>
          Float32Array.from(rows.flatMap((row) => [...each.slice(row * 144, (row + 1) * 144)])),
        ),
        targets: once.targets.map((each) => Int32Array.from(rows, (row) => each[row] as number)),
      };
      const weighted = { ...once, exampleWeights: Float32Array.of(2, 0, 1, 1) };
      const options = { steps: 2, optimizer: { ...PLAIN_STEP, learningRate: 0.1 } };
      const found = await train(suite.engine(), model, {
        ...options,
        batchOf: () => weighted,
        isWeighted: true,
      });
      const expected = await train(suite.engine(), model, { ...options, batchOf: () => twice });
      for (const [index, { name: what, values }] of expected.weights.entries()) {
        assertClose(found.weights[index]?.values, values, { what, tolerance: 1e-4 });
      }
      assert.ok(Math.abs((found.results[1]?.loss ?? 9) - (expected.results[1]?.loss ?? 0)) < 1e-4);
    });

    it('takes batches of any size from step to step', async () => {
      const model = learner({ dropout: true });
      const session = await suite.engine().createTrainingSession(model, {
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
}

/** Whether any of two arrays' elements differ. */
function moves(found: Float32Array | undefined, from: Float32Array): boolean {
  return from.some((value, at) => found?.[at] !== value);
}

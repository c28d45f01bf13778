/** What every engine's gradients are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { oracle } from '../../../test/tfjs-oracle.js';
import type { ModelDescription } from '../../model/model-description.js';
import { modelParameters } from '../../model/parameters.js';
import type { Engine } from '../engine.js';
import { assertClose, gradient, openGradients } from './engine-runs.js';
import type { EngineSuite } from './engine-under-test.js';
import { GRADIENT_CASES, LAYER_CASES, noise, SLOPE_CASES, unevenWeights } from './problems.js';

/** Defines the tests of gradients. */
export function describeGradients(suite: EngineSuite): void {
  describe('gradients', () => {
    for (const [what, description] of Object.entries(GRADIENT_CASES)) {
      it(`of ${what} are the oracle's`, async () => {
        const [weights, batch] = [unevenWeights(description), noise(description, 3)];
        const expected = await oracle(description, weights, batch);
        const found = await gradient(suite.engine(), { description, weights }, batch);
        assertClose(Float32Array.of(found.loss), [expected.loss], {
          what: 'loss',
          tolerance: suite.tolerance,
        });
        for (const [index, values] of expected.gradients.entries()) {
          if (values === undefined) continue;
          assertClose(found.gradients[index], values, {
            what: weights[index]?.name ?? '',
            tolerance: suite.tolerance,
          });
        }
      });
    }

    for (const [what, description] of Object.entries({ ...SLOPE_CASES, ...LAYER_CASES })) {
      const message = suite.refusal?.(description);
      if (message !== undefined) {
        it(`of ${what} are refused by name`, () =>
          assert.rejects(slopeAlongGradient(suite.engine(), description), { name: 'ModelError', message }));
        continue;
      }
      it(`of ${what} are the slope of the loss`, async () => {
        const slope = await slopeAlongGradient(suite.engine(), description);
        assert.ok(Math.abs(slope - 1) < 0.01, `slope ${slope} of the gradient's length`);
      });
    }
  });
}

/** The loss's rise along the gradient, measured by a central difference, in units of the gradient's length. */
async function slopeAlongGradient(engine: Engine, description: ModelDescription): Promise<number> {
  const [weights, batch] = [unevenWeights(description), noise(description, 5)];
  const parameters = modelParameters(description);
  const opened = await openGradients(engine, { description, weights });
  const { gradients } = await opened.at(weights, batch);
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
    return (await opened.at(moved, batch)).loss;
  };
  const slope = ((await along(1)) - (await along(-1))) / (2 * step) / length;
  await opened.dispose();
  return slope;
}

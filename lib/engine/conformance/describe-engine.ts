/** The tests that every engine on every backend passes, defined for `node:test`. */

import { before, describe, it } from 'node:test';
import { fixedImages, fixturePath, KERAS_FIXTURES, kerasExpectation } from '../../../test/keras-fixtures.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../../model/keras/keras-model.js';
import { inputShape } from '../../model/parameters.js';
import type { Engine } from '../engine.js';
import { describeDeterminism } from './determinism.js';
import { assertClose, predict } from './engine-runs.js';
import type { EngineSuite, EngineUnderTest } from './engine-under-test.js';
import { describeGradients } from './gradients.js';
import { describeKerasTraining } from './keras-training.js';
import { describeMemory } from './memory.js';
import { learner, quarters } from './problems.js';
import { describeTraining } from './training.js';

/** Between the noise of garbage collection and the 32 MB of a copy of all weights per step. */
const GROWTH_MB = 16;

/** Defines the conformance tests of one engine. */
export function describeEngine(
  name: string,
  { load, skip, count, tolerance = 1e-4, growthMb = GROWTH_MB, refusal }: EngineUnderTest,
): void {
  describe(`${name} conforms`, { skip: skip ?? false }, () => {
    let engine: Engine;
    before(async () => {
      engine = await load();
    });
    const suite = { engine: () => engine, count, tolerance, growthMb, refusal };
    describeForward(suite);
    describeGradients(suite);
    describeTraining(suite);
    describeKerasTraining(suite);
    describeDeterminism(suite);
    describeMemory(suite);
  });
}

/** Defines the tests of predictions. */
function describeForward(suite: EngineSuite): void {
  describe('forward', () => {
    for (const fixture of KERAS_FIXTURES) {
      it(`predicts what Keras did: ${fixture}`, async () => {
        const path = fixturePath(`${fixture}.h5`);
        const model = modelFromKeras(await readKerasFile(path), path);
        const { predictions } = kerasExpectation(fixture);
        const count = predictions.length;
        const inputs = [fixedImages(count, inputShape(model.description))];
        const found = await predict(suite.engine(), model, { inputs, count });
        assertClose(found, predictions.flat(), { what: fixture, tolerance: suite.tolerance });
      });
    }

    it('gives each image the same whatever batch it comes in', async () => {
      const model = learner({ dropout: true });
      const batch = quarters(5, 1);
      const together = await predict(suite.engine(), model, batch);
      const session = await suite.engine().createPredictSession(model, { threads: 1 });
      for (let at = 0; at < 5; at++) {
        const image = batch.inputs[0]?.slice(at * 144, at * 144 + 144) as Float32Array;
        const [alone] = await session.predict([image], 1);
        assertClose(alone, together.slice(at * 4, at * 4 + 4), { what: `image ${at}`, tolerance: 1e-5 });
      }
      await session.dispose();
    });
  });
}

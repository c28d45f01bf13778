/** Functional models of Keras 2 and 3 predict the same, have the same losses over 20 steps, and come back out of their JSON. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  assertKeras,
  functionalFixtures,
  functionalModel,
  predictFunctional,
  trainFunctional,
} from '../../../test/functional-fixtures.js';
import { assertClose } from '../../../test/onnx-gradients.js';
import { GENERATIONS } from '../../../test/setting-fixtures.js';
import { onnxEngine } from '../../engine/onnx/onnx-engine.js';
import { loadTensorflowEngine } from '../../engine/tensorflow/tensorflow-engine.js';
import { functional } from '../model-description.js';
import { initialWeights } from '../parameters.js';
import { describeKerasConfig, kerasConfig } from './keras-model.js';

for (const generation of GENERATIONS) {
  describe(`functional models of Keras ${generation}`, () => {
    for (const { name, predictions, losses, trained } of functionalFixtures(generation)) {
      it(`${name} predicts and trains as there`, async () => {
        const { model } = await functionalModel(name, generation);
        assertKeras(await predictFunctional(onnxEngine, model), predictions);
        const found = await trainFunctional(onnxEngine, model);
        assert.equal(found.losses.length, losses.length);
        for (const [step, wanted] of losses.entries()) {
          const loss = found.losses[step] as number;
          assert.ok(Math.abs(loss - wanted) < 1e-4, `step ${step}: ${loss}, Keras ${wanted}`);
        }
        assertKeras(await predictFunctional(onnxEngine, found.model), trained);
      });

      it(`${name} comes back out of its JSON`, async () => {
        const {
          model: { description },
        } = await functionalModel(name, generation);
        const again = describeKerasConfig(JSON.parse(JSON.stringify(kerasConfig(description))));
        if (description.nested === undefined) {
          const reversed = { ...description, layers: description.layers.toReversed() };
          assert.deepEqual(functional(reversed).layers, description.layers, 'the order of Keras');
        }
        const weights = initialWeights(description, 1);
        const byName = new Map(weights.map((array) => [array.name, array]));
        const ordered = initialWeights(again, 1).map((array) => byName.get(array.name) ?? array);
        const [found, wanted] = [
          await predictFunctional(onnxEngine, { description: again, weights: ordered }),
          await predictFunctional(onnxEngine, { description, weights }),
        ];
        for (const [at, each] of wanted.entries()) assertClose(found[at], each, `output ${at}`);
      });
    }
  });
}

it('functional models are built by TensorFlow.js, or what it lacks is named', async () => {
  const engine = await loadTensorflowEngine('cpu');
  for (const name of ['shared', 'nested', 'outputs']) {
    const { model } = await functionalModel(name, '3');
    const [found, wanted] = [
      await predictFunctional(engine, model),
      await predictFunctional(onnxEngine, model),
    ];
    for (const [at, each] of wanted.entries()) assertClose(found[at], each, `${name}, output ${at}`);
  }
  const { model } = await functionalModel('merges', '3');
  await assert.rejects(
    engine.createPredictSession(model, { threads: 1 }),
    /layer difference \(Subtract\): TensorFlow.js has no such layer/,
  );
});

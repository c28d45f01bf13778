/** Each setting of each layer trains as in Keras: the losses of 20 steps, the predictions after them, the file of the model. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fixedInputs,
  GENERATIONS,
  type SettingGroup,
  settingGroups,
  type Trained,
  trainAsKeras,
  trainedModel,
  trainedTolerance,
} from '../../../test/setting-fixtures.js';
import { assertClose, predict } from '../../engine/conformance/engine-runs.js';
import { plainOnnxEngine } from '../../engine/onnx/onnx-engine.js';
import { decodeKerasFile, encodeKerasFile } from '../../formats/keras/keras-hdf5.js';
import type { Model, ModelDescription } from '../model-description.js';
import { kerasConfig, modelFromKeras, writtenVersion } from './keras-model.js';

const TOLERANCE = 1e-4;

/** Most cases are the same model in both versions of Keras: it is trained once. */
const known = new Map<string, Promise<Trained>>();

for (const generation of GENERATIONS) {
  describe(`training as Keras ${generation}`, () => {
    let count = 0;
    for (const group of settingGroups(generation)) {
      const { class_name: className } = group.layer;
      it(`of ${className} behind [${group.inputShape}]`, async () => {
        for (const { setting, changed, trained } of group.cases) {
          const description = trainedModel(group, changed);
          if (trained === undefined || description === undefined) continue;
          const key = JSON.stringify([description, group.below]);
          const running = known.get(key) ?? train(description, group);
          known.set(key, running);
          const found = await running;
          const what = `${setting} ${JSON.stringify(changed)}`;
          assertClose(Float32Array.from(found.losses), trained.losses, {
            what: `losses, ${what}`,
            tolerance: TOLERANCE,
          });
          assertClose(Float32Array.from(found.predictions), trained.predictions, {
            what: `predictions, ${what}`,
            tolerance: trainedTolerance(group),
          });
          count++;
        }
      });
    }

    it('was compared for most settings', () => assert.ok(count > 100, `${count}`));
  });
}

async function train(description: ModelDescription, group: SettingGroup): Promise<Trained> {
  const { model, losses } = await trainAsKeras(plainOnnxEngine, { group, description });
  await assertComesBack(model);
  const predictions = await predict(plainOnnxEngine, model, {
    inputs: [fixedInputs(group, 1, 50)],
    count: 1,
  });
  return { losses, predictions: [...predictions] };
}

/** Its file is that of the same model. */
async function assertComesBack({ description, weights }: Model): Promise<void> {
  const modelConfig = kerasConfig(description);
  const bytes = await encodeKerasFile({ modelConfig, weights, kerasVersion: writtenVersion(description) });
  const read = modelFromKeras(await decodeKerasFile(bytes, 'm.h5'), 'm.h5');
  assert.deepEqual(read.description, description);
  assert.deepEqual(
    read.weights.map(({ values }) => values),
    weights.map(({ values }) => values),
  );
}

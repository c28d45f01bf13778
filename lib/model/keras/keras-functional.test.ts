/** Functional models of Keras 2 and 3 predict the same, have the same losses over 20 steps, and come back out of their JSON. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { assertClose } from '../../../test/onnx-gradients.js';
import { sizeOf } from '../../core/weights.js';
import type { Engine } from '../../engine/engine.js';
import { onnxEngine } from '../../engine/onnx/onnx-engine.js';
import { loadTensorflowEngine } from '../../engine/tensorflow/tensorflow-engine.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { functional, type Model, type ModelDescription } from '../model-description.js';
import { initialWeights, inputBound } from '../parameters.js';
import { describeKerasConfig, kerasConfig } from './keras-model.js';

const [STEPS, EXAMPLES, CLASSES] = [20, 6, 3];

interface Measured {
  readonly predictions: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly trained: readonly (readonly number[])[];
}

// Fixtures are not compiled: they lie in the source tree.
const fixture = (name: string) =>
  new URL(`../../../../lib/model/keras/fixtures/functional-${name}`, import.meta.url).pathname;

const inputsOf = (description: ModelDescription, count: number, salt: number) =>
  description.inputs.map(({ name, shape }, input) => {
    const values = Float32Array.from(
      { length: count * sizeOf(shape) },
      (_, at) => ((at * 37 + salt + input) % 101) / 101 - 0.5,
    );
    const below = inputBound(description, name);
    return below === undefined ? values : values.map((value) => Math.floor((value + 0.5) * below));
  });

async function predict(model: Model, engine: Engine = onnxEngine): Promise<readonly Float32Array[]> {
  const session = await engine.createPredictSession(model, { threads: 1 });
  const found = await session.predict(inputsOf(model.description, 3, 50), 3);
  await session.dispose();
  return found;
}

for (const generation of ['2', '3']) {
  describe(`functional models of Keras ${generation}`, () => {
    const measured = JSON.parse(readFileSync(fixture(`keras${generation}.json`), 'utf8')) as Readonly<
      Record<string, Measured>
    >;
    for (const [name, expected] of Object.entries(measured)) {
      it(`${name} predicts and trains as there`, async () => {
        const path = fixture(`${name}-keras${generation}.h5`);
        const file = await readKerasFile(path);
        const description = describeKerasConfig(file.modelConfig, { kerasVersion: generation });
        const model = { description, weights: file.weights };
        const compare = (found: readonly Float32Array[], wanted: Measured['trained']) => {
          assert.equal(found.length, wanted.length);
          for (const [output, values] of wanted.entries()) {
            for (const [at, value] of values.entries())
              assert.ok(Math.abs((found[output]?.[at] as number) - value) < 1e-5, `output ${output}, ${at}`);
          }
        };
        compare(await predict(model), expected.predictions);
        const session = await onnxEngine.createTrainingSession(model, {
          optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0 },
          seed: 0,
          threads: 1,
        });
        for (let step = 0; step < STEPS; step++) {
          const { loss } = await session.step({
            count: EXAMPLES,
            inputs: inputsOf(description, EXAMPLES, 10 * step),
            targets: description.outputs.map((_, output) =>
              Int32Array.from({ length: EXAMPLES }, (_, at) => (at + step + output) % CLASSES),
            ),
          });
          const wanted = expected.losses[step] as number;
          assert.ok(Math.abs(loss - wanted) < 1e-4, `step ${step}: ${loss}, Keras ${wanted}`);
        }
        compare(await predict({ description, weights: await session.weights() }), expected.trained);
        await session.dispose();
      });

      it(`${name} comes back out of its JSON`, async () => {
        const file = await readKerasFile(fixture(`${name}-keras${generation}.h5`));
        const description = describeKerasConfig(file.modelConfig, { kerasVersion: generation });
        const again = describeKerasConfig(JSON.parse(JSON.stringify(kerasConfig(description))));
        if (description.nested === undefined) {
          const reversed = { ...description, layers: description.layers.toReversed() };
          assert.deepEqual(functional(reversed).layers, description.layers, 'the order of Keras');
        }
        const weights = initialWeights(description, 1);
        const byName = new Map(weights.map((array) => [array.name, array]));
        const ordered = initialWeights(again, 1).map((array) => byName.get(array.name) ?? array);
        const [found, wanted] = [
          await predict({ description: again, weights: ordered }),
          await predict({ description, weights }),
        ];
        for (const [at, each] of wanted.entries()) assertClose(found[at], each, `output ${at}`);
      });
    }
  });
}

it('functional models are built by TensorFlow.js, or what it lacks is named', async () => {
  const engine = await loadTensorflowEngine('cpu');
  for (const name of ['shared', 'nested', 'outputs']) {
    const file = await readKerasFile(fixture(`${name}-keras3.h5`));
    const model = { description: describeKerasConfig(file.modelConfig), weights: file.weights };
    const [found, wanted] = [await predict(model, engine), await predict(model)];
    for (const [at, each] of wanted.entries()) assertClose(found[at], each, `${name}, output ${at}`);
  }
  const { modelConfig, weights } = await readKerasFile(fixture('merges-keras3.h5'));
  await assert.rejects(
    engine.createPredictSession({ description: describeKerasConfig(modelConfig), weights }, { threads: 1 }),
    /layer difference \(Subtract\): TensorFlow.js has no such layer/,
  );
});

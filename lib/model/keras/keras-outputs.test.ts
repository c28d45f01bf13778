/** Compiled models of several outputs, and of outputs with several steps: predictions, losses and tests are those of Keras. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { assertKeras, functionalInputs, predictFunctional } from '../../../test/functional-fixtures.js';
import { fixedNumbers } from '../../../test/setting-fixtures.js';
import { ModelError } from '../../core/errors.js';
import { judge, summarise } from '../../engine/accuracy.js';
import { onnxEngine } from '../../engine/onnx/onnx-engine.js';
import { startingTask } from '../../engine/starting-task.js';
import { loadTensorflowEngine } from '../../engine/tensorflow/tensorflow-engine.js';
import type { Examples } from '../../federation/examples.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { type Model, outputNames } from '../model-description.js';
import { batchInputs, batchTargets } from '../model-input.js';
import { outputShapes } from '../parameters.js';
import { lossesOf } from '../tasks/task.js';
import { modelFromKeras } from './keras-model.js';

const [STEPS, EXAMPLES] = [20, 6];

interface Measured {
  readonly targets: readonly ('labels' | 'holds' | 'numbers')[];
  readonly predictions: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly evaluated: readonly number[];
  readonly trained: readonly (readonly number[])[];
}

// Fixtures are not compiled: they lie in the source tree.
const fixture = (name: string) =>
  new URL(`../../../../lib/model/keras/fixtures/outputs-${name}`, import.meta.url).pathname;

function examplesOf({ description }: Model, kinds: Measured['targets'], salt: number): Examples {
  const values = functionalInputs(description, EXAMPLES, salt);
  const inputs = description.inputs.map(({ name, shape }, at) => ({
    ...{ name, shape: [EXAMPLES, ...shape] },
    values: values[at],
  }));
  const names = outputNames(description);
  const targets = outputShapes(description).map((shape, at) => {
    const [name, kind] = [names[at] as string, kinds[at]];
    const values = (of: readonly number[]) => fixedNumbers([EXAMPLES, ...of], salt + 50 + at);
    if (kind === 'numbers') return { name, shape: [EXAMPLES, ...shape], values: values(shape) };
    if (kind === 'holds')
      return {
        name,
        shape: [EXAMPLES, ...shape],
        values: Uint8Array.from(values(shape), (value) => Number(value > 0)),
      };
    const [steps, classes] = [shape.slice(0, -1), shape.at(-1) as number];
    const labels = Int32Array.from(values(steps), (value) => Math.floor((value + 0.5) * classes));
    return { name, shape: [EXAMPLES, ...steps], values: labels };
  });
  return { inputs, targets } as unknown as Examples;
}

async function open(name: string) {
  const path = fixture(`${name}-keras3.h5`);
  const file = await readKerasFile(path);
  return { path, file, model: modelFromKeras(file, path, { forTraining: true }) };
}

const measured = JSON.parse(readFileSync(fixture('keras3.json'), 'utf8')) as Readonly<
  Record<string, Measured>
>;

describe('compiled models of Keras 3', () => {
  for (const [name, expected] of Object.entries(measured)) {
    it(`${name} predicts, trains and is tested as there`, async () => {
      const { path, file, model } = await open(name);
      assertKeras(await predictFunctional(onnxEngine, model), expected.predictions);
      const lesson = (salt: number) => ({
        examples: examplesOf(model, expected.targets, salt),
        data: 'd.npz',
        asked: undefined,
      });
      const { task } = startingTask({ model, file, path }, lesson(0));
      const loss = lossesOf(task);
      const session = await onnxEngine.createTrainingSession(model, {
        ...{ optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0 }, loss, seed: 0, threads: 1 },
      });
      const all = Uint32Array.from({ length: EXAMPLES }, (_, at) => at);
      for (let step = 0; step < STEPS; step++) {
        const { examples } = startingTask({ model, file, path }, lesson(10 * step));
        const found = await session.step({
          count: EXAMPLES,
          inputs: batchInputs(examples, all),
          targets: batchTargets(examples, all, loss),
        });
        const wanted = expected.losses[step] as number;
        assert.ok(Math.abs(found.loss - wanted) < 1e-4, `step ${step}: ${found.loss}, Keras ${wanted}`);
      }
      const trained = { description: model.description, weights: await session.weights() };
      await session.dispose();
      assertKeras(await predictFunctional(onnxEngine, trained), expected.trained);

      const { examples } = startingTask({ model, file, path }, lesson(7));
      const predictor = await onnxEngine.createPredictSession(trained, { threads: 1 });
      const places = { from: 0, to: EXAMPLES, batchSize: 4, model: path, data: 'd.npz' };
      const judgements = await judge(predictor, { examples, task, ...places });
      await predictor.dispose();
      const { loss: total, metrics = {} } = summarise(judgements, examples.targets, task);
      // The sum first, as Keras has it, then the loss of each output.
      const own = task.outputs.map(({ output }) => metrics[`${output}_loss`]);
      const found = task.outputs.length === 1 ? [total] : [total, ...own];
      assert.equal(found.length, expected.evaluated.length);
      for (const [at, wanted] of expected.evaluated.entries())
        assert.ok(Math.abs((found[at] as number) - wanted) < 1e-4, `${at}: ${found[at]}, Keras ${wanted}`);
    });
  }

  it('TensorFlow.js, which trains one output here, refuses others by name', async () => {
    const engine = await loadTensorflowEngine('cpu');
    for (const [name, sentence] of [
      ['several', /the model has 3 outputs \(price, kind, holds\), and TensorFlow\.js trains one output/],
      ['characters', /the output of the model has the shape \[5,7\], and TensorFlow\.js trains one output/],
    ] as const) {
      const { model } = await open(name);
      const settings = {
        optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0 },
        seed: 0,
        threads: 1,
      } as const;
      await assert.rejects(engine.createTrainingSession(model, settings), {
        name: ModelError.name,
        message: sentence,
      });
    }
  });
});

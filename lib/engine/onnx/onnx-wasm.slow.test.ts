/** The gradients, dropout masks and steps on WebAssembly are those of the processor. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLASSES, dense, imageModel } from '../../../test/layers.js';
import { assertClose, BEYOND_ORACLE, CASES, graphGradients, problem } from '../../../test/onnx-gradients.js';
import { describeModel } from '../../model/model-zoo.js';
import { loadOnnxEngine } from './onnx-engine.js';
import { createOnnxPredictSession } from './predict-session.js';

const OPTIMIZER = { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;

describe('the ONNX engine on WebAssembly', () => {
  for (const [name, description] of Object.entries({ ...CASES, ...BEYOND_ORACLE })) {
    it(`has the gradients and predictions of the processor: ${name}`, async () => {
      const { weights, batch } = problem(description, 4);
      const model = { description, weights };
      const [expected, found] = [
        await graphGradients(model, batch),
        await graphGradients(model, batch, { backend: 'wasm' }),
      ];
      assert.ok(Math.abs(found.loss - expected.loss) < 1e-5, `loss ${found.loss}, expected ${expected.loss}`);
      for (const [index, gradient] of expected.gradients.entries()) {
        assertClose(found.gradients[index], gradient, weights[index]?.name ?? '');
      }
      const predictions = [];
      for (const backend of ['cpu', 'wasm'] as const) {
        const session = await createOnnxPredictSession(model, { threads: 1, backend });
        predictions.push(...(await session.predict(batch.inputs, 4)));
        await session.dispose();
      }
      assertClose(predictions[1], predictions[0], 'probabilities');
    });
  }

  it('draws the same dropout masks', async () => {
    const features = 500;
    const layers = [
      { kind: 'dropout', name: 'dropout', rate: 0.3 } as const,
      dense('head', CLASSES, 'softmax', false),
    ];
    const description = imageModel(layers, [features]);
    const { weights, batch } = problem(description, 1);
    // The kernel's gradient is 0 exactly where the one example's input was dropped.
    const dropped = async (backend: 'cpu' | 'wasm') => {
      const { gradients } = await graphGradients({ description, weights }, batch, { backend });
      const first = (gradients[0] as Float32Array).filter((_, at) => at % CLASSES === 0);
      return [...first].flatMap((value, at) => (value === 0 ? [at] : []));
    };
    const expected = await dropped('cpu');
    assert.ok(expected.length > 0.2 * features && expected.length < 0.4 * features, `${expected.length}`);
    assert.deepEqual(await dropped('wasm'), expected);
  });

  for (const threads of [1, 2]) {
    it(`learns what the processor learns, and repeats bit for bit, on ${threads} thread(s)`, async () => {
      const description = describeModel('cnn', { inputShape: [12, 12, 1], outputs: CLASSES });
      const { weights, batch } = problem(description, 20);
      const train = async (backend: 'cpu' | 'wasm') => {
        const engine = await loadOnnxEngine(backend);
        assert.equal(engine.name, `onnx/${backend}`);
        const settings = { optimizer: OPTIMIZER, seed: 5, threads };
        const session = await engine.createTrainingSession({ description, weights }, settings);
        const losses = [];
        for (let step = 0; step < 20; step++) losses.push((await session.step(batch)).loss);
        const trained = await session.weights();
        await session.dispose();
        return { losses, trained };
      };
      const [expected, found, again] = [await train('cpu'), await train('wasm'), await train('wasm')];
      assert.ok((found.losses.at(-1) as number) < 0.7 * (found.losses[0] as number), `${found.losses}`);
      for (const [step, loss] of expected.losses.entries()) {
        assert.ok(Math.abs((found.losses[step] as number) - loss) < 1e-3, `step ${step}: ${loss}`);
      }
      assert.deepEqual(again, found);
    });
  }
});

/**
 * Compares a GPU backend of the ONNX engine with the processor; prints a line of JSON for each comparison. A program
 * of its own, since the GPU's drivers are found through environment variables that are read when a process starts.
 *
 *   node dist/test/programs/onnx-device.js webgpu            all comparisons
 *   node dist/test/programs/onnx-device.js webgpu PATTERN    those whose names it matches
 */

import type { OnnxBackend } from '../../lib/engine/onnx/backends.js';
import { buildTrainingGraph } from '../../lib/engine/onnx/graphs/training-graph.js';
import { loadOnnxEngine, plainOnnxEngine } from '../../lib/engine/onnx/onnx-engine.js';
import { createInferenceSession, loadOnnxRuntime } from '../../lib/engine/onnx/runtime.js';
import type { Layer } from '../../lib/model/layers/registry.js';
import { sequential } from '../../lib/model/model-description.js';
import { describeModel } from '../../lib/model/model-zoo.js';
import { BEYOND_ORACLE, CASES, graphGradients, problem } from '../onnx-gradients.js';

const STEPS = 4;
const OPTIMIZER = { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;

/** A comparison: the largest difference, relative to the largest element; or why there is none. */
export interface Comparison {
  readonly name: string;
  readonly difference?: number;
  readonly error?: string;
}

const backend = process.argv[2] as OnnxBackend;
const wanted = new RegExp(process.argv[3] ?? '');
const small = describeModel('cnn', { inputShape: [8, 8, 1], outputs: 4 });

await report('the backend is here', async () => {
  await loadOnnxEngine(backend);
  return 0;
});
for (const [name, description] of Object.entries({ ...CASES, ...BEYOND_ORACLE })) {
  await report(`gradients: ${name}`, async () => {
    const { weights, batch } = problem(description, 3);
    const model = { description, weights };
    const expected = await graphGradients(model, batch);
    const found = await graphGradients(model, batch, { backend, withoutPoolIndices: true });
    return Math.max(...expected.gradients.map((each, index) => difference(found.gradients[index], each)));
  });
}
await report('gradients with dropout', async () => {
  const { weights, batch } = problem(small, 2);
  const model = { description: small, weights };
  const expected = await graphGradients(model, batch);
  const found = await graphGradients(model, batch, { backend, withoutPoolIndices: true });
  return Math.max(...expected.gradients.map((each, index) => difference(found.gradients[index], each)));
});
await report('training and prediction', async () => {
  const { weights, batch } = problem(small, 4);
  const outcomes = [];
  for (const engine of [plainOnnxEngine, await loadOnnxEngine(backend)]) {
    const settings = { optimizer: OPTIMIZER, seed: 1, threads: 1 };
    const session = await engine.createTrainingSession({ description: small, weights }, settings);
    const losses = [];
    for (let step = 0; step < STEPS; step++) losses.push((await session.step(batch)).loss);
    const trained = await session.weights();
    await session.dispose();
    const predictor = await engine.createPredictSession(
      { description: small, weights: trained },
      { threads: 1 },
    );
    const [probabilities = []] = await predictor.predict(batch.inputs, batch.count);
    await predictor.dispose();
    outcomes.push(Float32Array.from([...losses, ...probabilities]));
  }
  return difference(outcomes[1], outcomes[0] as Float32Array);
});
await report('every operator but those of dropout is on the device', async () => {
  const isDropout = ({ kind }: Layer) => kind === 'dropout';
  const layers = small.layers.filter((layer) => !isDropout(layer));
  const description = sequential({ name: 'without-dropout', inputShape: [8, 8, 1], layers });
  const graph = buildTrainingGraph(description, { optimizer: OPTIMIZER, withoutPoolIndices: true });
  const runtime = await loadOnnxRuntime(backend, 1);
  const session = await createInferenceSession(graph.bytes, { runtime, threads: 1, wholeOnDevice: true });
  await session.release();
  return 0;
});

async function report(name: string, compare: () => Promise<number>): Promise<void> {
  if (!wanted.test(name)) return;
  const comparison: Comparison = await compare().then(
    (found) => ({ name, difference: found }),
    (error) => ({ name, error: error instanceof Error ? error.message : String(error) }),
  );
  console.log(JSON.stringify(comparison));
  if (comparison.error !== undefined && name === 'the backend is here') process.exit(0);
}

function difference(found: Float32Array | undefined, expected: Float32Array): number {
  const scale = Math.max(1e-2, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, at) => Math.abs((found?.[at] ?? Number.NaN) - value) / scale));
}

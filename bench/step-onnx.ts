/** Times training steps of a model on our engine; prints one JSON line. Arguments: model, threads, steps, backend. */
import { randomStream } from '../lib/core/random.js';
import { parameterCount } from '../lib/core/weights.js';
import { loadOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { initialWeights } from '../lib/model/parameters.js';
import { median } from './report.js';
import { STEP_MODELS, type StepModelName } from './step-models.js';

const { description, loss, batchSize, batch } = STEP_MODELS[process.argv[2] as StepModelName];
const [threads = 1, steps = 20] = process.argv.slice(3).map(Number);
const backend = process.argv[5] === 'wasm' ? 'wasm' : 'cpu';
const WARM_UP_STEPS = 5;

const examples = batch(randomStream(0, 'bench'), batchSize);
const engine = await loadOnnxEngine(backend);
const weights = initialWeights(description, 0);
const session = await engine.createTrainingSession(
  { description, weights },
  {
    optimizer: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
    loss,
    batchSize,
    seed: 0,
    threads,
  },
);
await session.step(examples);
const firstStepSeconds = performance.now() / 1000;
for (let step = 0; step < WARM_UP_STEPS; step++) await session.step(examples);
const milliseconds: number[] = [];
for (let step = 0; step < steps; step++) {
  const startedAt = performance.now();
  await session.step(examples);
  milliseconds.push(performance.now() - startedAt);
}
const stepMs = median(milliseconds);
const examplesPerSecond = (batchSize * 1000) / stepMs;
console.log(
  JSON.stringify({ stepMs, examplesPerSecond, firstStepSeconds, parameters: parameterCount(weights) }),
);

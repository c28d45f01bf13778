/** Times training steps of the default CNN on our engine; prints one JSON line. Arguments: threads, steps, batch, backend. */
import { randomStream } from '../lib/core/random.js';
import { loadOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';
import { median } from './report.js';

const [threads = 1, steps = 20, batch = 100] = process.argv.slice(2).map(Number);
const backend = process.argv[5] === 'wasm' ? 'wasm' : 'cpu';
const WARM_UP_STEPS = 5;

const random = randomStream(0, 'bench');
const images = Float32Array.from({ length: batch * 784 }, () => random.uniform());
const labels = Int32Array.from({ length: batch }, () => random.integer(0, 9));
const examples = { count: batch, inputs: [images], targets: [labels] };
const description = describeModel('cnn', { inputShape: [28, 28, 1], outputs: 10 });
const engine = await loadOnnxEngine(backend);
const session = await engine.createTrainingSession(
  { description, weights: initialWeights(description, 0) },
  {
    optimizer: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
    batchSize: batch,
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
console.log(JSON.stringify({ stepMs, imagesPerSecond: (batch * 1000) / stepMs, firstStepSeconds }));

/**
 * Times training steps of a model on a backend; prints one JSON line. Arguments: model, threads, steps, engine/backend,
 * then, where they are not the model's own and unbounded, examples of a step and seconds after which no step begins.
 */
import { randomStream } from '../lib/core/random.js';
import { parameterCount } from '../lib/core/weights.js';
import { BACKEND_REGISTRY, backendTitle } from '../lib/engine/engine-registry.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import { initialWeights } from '../lib/model/parameters.js';
import { requireCard } from './gpu/machine.js';
import { median } from './report.js';
import { STEP_MODELS, type StepModelName } from './step-models.js';

const [name, threads = '1', steps = '20', title = 'onnx/cpu', examples, seconds = 'Infinity'] =
  process.argv.slice(2);
const { description, loss, batchSize: usualSize, batch } = STEP_MODELS[name as StepModelName];
const batchSize = Number(examples ?? usualSize);
const WARM_UP_STEPS = Math.min(5, Number(steps));

const backend = BACKEND_REGISTRY.find((each) => backendTitle(each) === title);
if (backend === undefined) throw new Error(`there is no backend ${title}`);
prepareEngines({ threads: Number(threads) });
const data = batch(randomStream(0, 'bench'), batchSize);
const engine = await backend.load();
const weights = initialWeights(description, 0);
const session = await engine.createTrainingSession(
  { description, weights },
  {
    optimizer: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
    loss,
    batchSize,
    seed: 0,
    threads: Number(threads),
  },
);
await session.step(data);
const firstStepSeconds = performance.now() / 1000;
for (let step = 0; step < WARM_UP_STEPS; step++) await session.step(data);
const milliseconds: number[] = [];
const until = performance.now() + Number(seconds) * 1000;
do {
  const startedAt = performance.now();
  await session.step(data);
  milliseconds.push(performance.now() - startedAt);
} while (milliseconds.length < Number(steps) && performance.now() < until);
const drivers = requireCard(backend);
const stepMs = median(milliseconds);
const figures = {
  ...{ stepMs, examplesPerSecond: (batchSize * 1000) / stepMs, firstStepSeconds },
  ...{ parameters: parameterCount(weights), engine: session.engine, drivers },
};
// Drivers of cards keep threads of their own: there is nothing to wait for.
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());

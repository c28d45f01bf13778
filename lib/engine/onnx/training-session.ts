/** A training session on ONNX Runtime: one compiled step, and state that alternates between two sets of buffers. */
import type { RandomStream } from '../../federation/random.js';
import { randomStream } from '../../federation/random.js';
import type { Weights } from '../../federation/weights.js';
import type { Batch, Model, StepResult, TrainingSession, TrainingSettings } from '../engine.js';
import { requireSameShapes } from '../parameters.js';
import { createInferenceSession } from './inference-session.js';
import { stepSize } from './optimizer-graph.js';
import {
  type Feeds,
  type InferenceSession,
  isDevice,
  loadOnnxRuntime,
  type OnnxBackend,
  type OnnxRuntime,
  type Tensor,
  type TensorConstructor,
} from './runtime.js';
import { buildTrainingGraph, type TrainingGraph } from './training-graph.js';

/** What the ONNX engine adds to a session's settings. */
export interface OnnxTrainingSettings extends TrainingSettings {
  /** What the session calls itself. */
  readonly engine: string;
  readonly backend: OnnxBackend;
  /** Channels of a block, for blocked images (see `blocked/layout.ts`). */
  readonly blockSize?: number | undefined;
}

/** Compiles the training step of `model` and starts from its weights. */
export async function createTrainingSession(
  model: Model,
  settings: OnnxTrainingSettings,
): Promise<TrainingSession> {
  const graph = buildTrainingGraph(model.description, {
    ...settings,
    withoutPoolIndices: isDevice(settings.backend),
  });
  const runtime = await loadOnnxRuntime(settings.backend, settings.threads);
  const session = await createInferenceSession(graph.bytes, { runtime, threads: settings.threads });
  const { Tensor } = runtime;
  const states = [createState(Tensor, graph), createState(Tensor, graph)] as const;
  // w₀ of the proximal term.
  const anchor = graph.usesAnchor ? flatTensor(Tensor, graph.size) : undefined;
  const start = (weights: Weights) => {
    packWeights(weights, states[0].weights);
    if (anchor !== undefined) packWeights(weights, anchor);
  };
  start(model.weights);
  const loss = new Tensor('float32', new Float32Array(1), []);
  const correct = new Tensor('float32', new Float32Array(1), []);
  const statistics = graph.statistics.map(({ output, length }) => ({
    output,
    tensor: flatTensor(Tensor, length),
  }));
  let { optimizer } = settings;
  let random = dropoutStream(settings.seed);
  let steps = 0;

  return {
    engine: settings.engine,
    async step(batch) {
      const current = states[steps % 2] as State;
      const next = states[(steps + 1) % 2] as State;
      steps++;
      const feeds = {
        ...batchFeeds(Tensor, batch, model.description.inputShape),
        ...(graph.usesRowSeeds ? { rowSeeds: rowSeeds(Tensor, batch.labels.length, random) } : {}),
        ...(anchor === undefined ? {} : { anchor }),
        stepSize: new Tensor('float32', Float32Array.of(stepSize(optimizer, steps)), [1]),
        ...namedTensors(current, ''),
      };
      const outputs = {
        loss,
        correct,
        ...namedTensors(next, 'next'),
        ...Object.fromEntries(statistics.map(({ output, tensor }) => [output, tensor])),
      };
      await runInto(outputs, { runtime, session, feeds });
      foldStatistics(graph, { from: statistics.map(({ tensor }) => floats(tensor)), into: next.weights });
      return stepResult(loss, correct);
    },
    weights: async () => unpackWeights(model.weights, (states[steps % 2] as State).weights),
    async restart({ weights, seed, learningRate = settings.optimizer.learningRate }) {
      requireSameShapes(weights, model.weights);
      start(weights);
      for (const { tensor } of states[0].slots) floats(tensor).fill(0);
      optimizer = { ...settings.optimizer, learningRate };
      random = dropoutStream(seed);
      steps = 0;
    },
    dispose: () => session.release(),
  };
}

const dropoutStream = (seed: number) => randomStream(seed, 'dropout');

/** The tensors that a step reads and the next ones that it writes. */
interface State {
  readonly weights: Tensor;
  readonly slots: readonly { readonly name: string; readonly tensor: Tensor }[];
}

function createState(Tensor: TensorConstructor, graph: TrainingGraph): State {
  return {
    weights: flatTensor(Tensor, graph.size),
    slots: graph.slots.map((name) => ({ name, tensor: flatTensor(Tensor, graph.size) })),
  };
}

function namedTensors(state: State, prefix: '' | 'next'): Record<string, Tensor> {
  const named: Record<string, Tensor> = { [prefix === '' ? 'weights' : 'nextWeights']: state.weights };
  for (const { name, tensor } of state.slots) named[prefix === '' ? name : `next-${name}`] = tensor;
  return named;
}

function batchFeeds(
  Tensor: TensorConstructor,
  { images, labels }: Batch,
  inputShape: readonly number[],
): Record<string, Tensor> {
  return {
    images: new Tensor('float32', images, [labels.length, ...inputShape]),
    labels: new Tensor('int32', labels, [labels.length]),
    exampleWeight: new Tensor('float32', Float32Array.of(1 / labels.length), [1]),
  };
}

function rowSeeds(Tensor: TensorConstructor, count: number, random: RandomStream): Tensor {
  return new Tensor(
    'uint32',
    Uint32Array.from({ length: count }, () => random.uint32()),
    [count],
  );
}

/** Runs a step and fills `outputs`, on every build. */
async function runInto(
  outputs: Readonly<Record<string, Tensor>>,
  {
    runtime,
    session,
    feeds,
  }: { readonly runtime: OnnxRuntime; readonly session: InferenceSession; readonly feeds: Feeds },
): Promise<void> {
  if (runtime.fillsGivenOutputs) {
    await session.run(feeds, outputs);
    return;
  }
  const results = await session.run(feeds, Object.keys(outputs));
  for (const [name, tensor] of Object.entries(outputs)) floats(tensor).set(floats(results[name] as Tensor));
}

function stepResult(loss: Tensor, correct: Tensor): StepResult {
  return { loss: floats(loss)[0] as number, correct: floats(correct)[0] as number };
}

/** moving = moving · momentum + batch · (1 - momentum), as Keras does. */
function foldStatistics(
  graph: TrainingGraph,
  { from, into }: { readonly from: readonly Float32Array[]; readonly into: Tensor },
): void {
  const moving = floats(into);
  for (const [index, { offset, length, momentum }] of graph.statistics.entries()) {
    for (let at = 0; at < length; at++) {
      const batch = from[index]?.[at] as number;
      moving[offset + at] = (moving[offset + at] as number) * momentum + batch * (1 - momentum);
    }
  }
}

function packWeights(weights: Weights, into: Tensor): void {
  let offset = 0;
  for (const { values } of weights) {
    floats(into).set(values, offset);
    offset += values.length;
  }
}

function unpackWeights(like: Weights, from: Tensor): Weights {
  let offset = 0;
  return like.map(({ name, shape, values }) => {
    const copy = floats(from).slice(offset, offset + values.length);
    offset += values.length;
    return { name, shape, values: copy };
  });
}

const flatTensor = (Tensor: TensorConstructor, length: number): Tensor =>
  new Tensor('float32', new Float32Array(length), [length]);

const floats = (tensor: Tensor) => tensor.data as Float32Array;

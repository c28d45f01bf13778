/** A training session on ONNX Runtime: one compiled step, and state that alternates between two sets of buffers. */
import { type RandomStream, randomStream } from '../../core/random.js';
import type { Weights } from '../../core/weights.js';
import type { Model } from '../../model/model-description.js';
import { requireSameShapes } from '../../model/parameters.js';
import type { Batch, StepResult, TrainingSession } from '../engine.js';
import { examplesPerRun } from './accumulated-step.js';
import { compileSteps, type OnnxTrainingSettings } from './compiled-steps.js';
import { stepSize } from './graphs/optimizer-graph.js';
import { groupTensors, namedTensors, packWeights, unpackWeights } from './graphs/parameter-groups.js';
import type { TrainingGraph } from './graphs/training-graph.js';
import {
  type Feeds,
  floats,
  loadOnnxRuntime,
  runInto,
  type Tensor,
  type TensorConstructor,
} from './runtime.js';

/** Compiles the training step of `model` and starts from its weights. */
export async function createOnnxTrainingSession(
  model: Model,
  settings: OnnxTrainingSettings,
): Promise<TrainingSession> {
  const largest = examplesPerRun(model.description);
  const runtime = await loadOnnxRuntime(settings.backend, settings.threads);
  const compiled = await compileSteps(model.description, { settings, runtime });
  const { graph } = compiled;
  const { Tensor } = runtime;
  const states = [createState(Tensor, graph), createState(Tensor, graph)] as const;
  // w₀ of the proximal term.
  const anchors = graph.usesAnchor ? groupTensors(Tensor, graph.groups) : [];
  const corrections = graph.usesCorrection ? groupTensors(Tensor, graph.groups) : [];
  const start = (weights: Weights, correction: Weights | undefined) => {
    packWeights(graph.groups, weights, states[0].weights);
    packWeights(graph.groups, weights, anchors);
    if (correction !== undefined) packWeights(graph.groups, correction, corrections);
  };
  start(model.weights, settings.correction);
  const constantFeeds = {
    ...namedTensors('anchor', graph.groups, anchors),
    ...namedTensors('correction', graph.groups, corrections),
  };
  const loss = new Tensor('float32', new Float32Array(1), []);
  const correct = graph.countsCorrect ? new Tensor('float32', new Float32Array(1), []) : undefined;
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
      const inputs = {
        stepSize: new Tensor('float32', Float32Array.of(stepSize(optimizer, steps)), [1]),
        ...constantFeeds,
        ...current.inputs,
      };
      const parts = batchFeeds(batch, {
        Tensor,
        largest,
        inputShape: model.description.inputShape,
        random: graph.usesRowSeeds ? random : undefined,
      });
      const [feeds] = parts;
      if (feeds === undefined || parts.length > 1) {
        const accumulated = await compiled.accumulated();
        return accumulated.run({ parts, inputs, outputs: next.outputs });
      }
      const outputs = {
        loss,
        ...(correct === undefined ? {} : { correct }),
        ...next.outputs,
        ...Object.fromEntries(statistics.map(({ output, tensor }) => [output, tensor])),
      };
      const session = await compiled.sessionFor(batch.count);
      await runInto(outputs, { runtime, session, feeds: { ...feeds, ...inputs } });
      foldStatistics(graph, { from: statistics.map(({ tensor }) => floats(tensor)), into: next.weights });
      return stepResult(loss, correct);
    },
    async weights(into) {
      const { weights } = states[steps % 2] as State;
      return unpackWeights(graph.groups, weights, { like: model.weights, into });
    },
    async restart({ weights, seed, learningRate = settings.optimizer.learningRate, correction }) {
      requireSameShapes(weights, model.weights);
      start(weights, correction);
      for (const tensor of states[0].slots) floats(tensor).fill(0);
      optimizer = { ...settings.optimizer, learningRate };
      random = dropoutStream(seed);
      steps = 0;
    },
    dispose: compiled.release,
  };
}

const dropoutStream = (seed: number) => randomStream(seed, 'dropout');

/** The tensors that a step reads and the next one that it writes, in the order of the groups. */
interface State {
  readonly weights: readonly Tensor[];
  readonly slots: readonly Tensor[];
  /** All of them, under the names by which a step reads and writes them. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

function createState(Tensor: TensorConstructor, { groups, slots }: TrainingGraph): State {
  const weights = groupTensors(Tensor, groups);
  const kept = [
    ['weights', weights] as const,
    ...slots.map((slot) => [slot, groupTensors(Tensor, groups)] as const),
  ];
  const under = (prefix: string) =>
    Object.assign({}, ...kept.map(([what, tensors]) => namedTensors(prefix + what, groups, tensors)));
  return {
    weights,
    slots: kept.slice(1).flatMap(([, tensors]) => tensors),
    inputs: under(''),
    outputs: under('next-'),
  };
}

/** What a step reads of a batch, in parts of at most `largest` examples, and the seeds of its masks if it has any. */
function batchFeeds(
  { count: all, inputs: [images], targets: [target], exampleWeights }: Batch,
  {
    Tensor,
    largest,
    inputShape,
    random,
  }: {
    readonly Tensor: TensorConstructor;
    readonly largest: number;
    readonly inputShape: readonly number[];
    readonly random: RandomStream | undefined;
  },
): readonly Feeds[] {
  if (images === undefined || target === undefined) throw new RangeError('a batch without input or target');
  const size = images.length / all;
  const [width, isLabels] = [target.length / all, target instanceof Int32Array];
  const shares = exampleWeights?.map((weight) => weight / all);
  const evenShare = new Tensor('float32', Float32Array.of(1 / all), [1]);
  const parts: Feeds[] = [];
  for (let start = 0; start < all; start += largest) {
    const end = Math.min(all, start + largest);
    const count = end - start;
    parts.push({
      images: new Tensor('float32', images.subarray(start * size, end * size), [count, ...inputShape]),
      target: isLabels
        ? new Tensor('int32', target.subarray(start, end), [count])
        : new Tensor('float32', target.subarray(start * width, end * width), [count, width]),
      exampleWeight: shares ? new Tensor('float32', shares.subarray(start, end), [count, 1]) : evenShare,
      ...(random === undefined ? {} : { rowSeeds: rowSeeds(Tensor, count, random) }),
    });
  }
  return parts;
}

function rowSeeds(Tensor: TensorConstructor, count: number, random: RandomStream): Tensor {
  return new Tensor(
    'uint32',
    Uint32Array.from({ length: count }, () => random.uint32()),
    [count],
  );
}

function stepResult(loss: Tensor, correct: Tensor | undefined): StepResult {
  return { loss: floats(loss)[0] as number, correct: correct && floats(correct)[0] };
}

/** moving = moving · momentum + batch · (1 - momentum), as Keras does. */
function foldStatistics(
  { groups, statistics }: TrainingGraph,
  { from, into }: { readonly from: readonly Float32Array[]; readonly into: readonly Tensor[] },
): void {
  for (const [index, { group, offset, length, momentum }] of statistics.entries()) {
    const moving = floats(into[groups.indexOf(group)] as Tensor);
    for (let at = 0; at < length; at++) {
      const batch = from[index]?.[at] as number;
      moving[offset + at] = (moving[offset + at] as number) * momentum + batch * (1 - momentum);
    }
  }
}

const flatTensor = (Tensor: TensorConstructor, length: number): Tensor =>
  new Tensor('float32', new Float32Array(length), [length]);

/** A training session on ONNX Runtime: steps, and state that alternates between two sets of buffers. */
import { randomStream } from '../../core/random.js';
import type { Weights } from '../../core/weights.js';
import type { Model } from '../../model/model-description.js';
import { optimizerModule, optimizerRates } from '../../model/optimizers/registry.js';
import { requireSameShapes } from '../../model/parameters.js';
import type { OptimizerSettings, StepResult, TrainingSession } from '../engine.js';
import { examplesPerRun, partSize } from './accumulated-step.js';
import { compileSteps, type OnnxTrainingSettings } from './compiled-steps.js';
import {
  groupTensors,
  namedTensors,
  type ParameterGroup,
  packWeights,
  unpackWeights,
} from './graphs/parameter-groups.js';
import { batchFeeds, type TrainingGraph } from './graphs/training-graph.js';
import {
  type Feeds,
  floats,
  loadOnnxRuntime,
  runFor,
  type Tensor,
  type TensorConstructor,
  taken,
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
  const trained = graph.groups.filter(({ isTrained }) => isTrained);
  const fixed = graph.groups.filter(({ isTrained }) => !isTrained);
  const slots = optimizerModule(settings.optimizer).slots(settings.optimizer);
  const { sliced } = compiled;
  const adopted = settings.ownsWeights ? model.weights : undefined;
  const begin = createState(Tensor, { groups: trained, slots, adopted });
  // What is updated in slices is written where it is.
  const states = [
    begin,
    sliced === undefined ? createState(Tensor, { groups: trained, slots, shared: begin }) : begin,
  ] as const;
  const unchanged = groupTensors(Tensor, fixed);
  // w₀ of the proximal term.
  const anchors = graph.usesAnchor ? groupTensors(Tensor, trained) : [];
  const corrections = graph.usesCorrection ? groupTensors(Tensor, trained) : [];
  const start = (weights: Weights, correction: Weights | undefined) => {
    packWeights(trained, weights, states[0].weights);
    packWeights(fixed, weights, unchanged);
    packWeights(trained, weights, anchors);
    if (correction !== undefined) packWeights(trained, correction, corrections);
    for (const { tensors, initial } of states[0].slots)
      for (const tensor of tensors) floats(tensor).fill(initial);
  };
  start(model.weights, settings.correction);
  const constantFeeds = {
    ...namedTensors('weights', fixed, unchanged),
    ...namedTensors('anchor', trained, anchors),
    ...namedTensors('correction', trained, corrections),
  };
  const loss = new Tensor('float32', new Float32Array(1), []);
  const penalty = new Tensor('float32', new Float32Array(1), []);
  const penalties = graph.hasPenalty ? { penalty } : {};
  const withPenalty = (found: StepResult): StepResult =>
    graph.hasPenalty ? { ...found, loss: found.loss + (floats(penalty)[0] as number) } : found;
  const correct = graph.countsCorrect ? new Tensor('float32', new Float32Array(1), []) : undefined;
  const statistics = graph.statistics.map(({ output, length }) => ({
    output,
    tensor: flatTensor(Tensor, length),
  }));
  const found = {
    ...{ loss, ...(correct === undefined ? {} : { correct }) },
    ...Object.fromEntries(statistics.map(({ output, tensor }) => [output, tensor])),
  };
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
        ...rateFeeds(Tensor, optimizer, steps),
        ...constantFeeds,
        ...current.inputs,
      };
      const parts = batchFeeds(batch, {
        Tensor,
        largest: partSize(batch.count, largest, settings.backend),
        graph,
        description: model.description,
        random: graph.usesRowSeeds ? random : undefined,
      });
      const [feeds] = parts;
      const outputs = { ...next.outputs, ...penalties };
      if (feeds === undefined || parts.length > 1) {
        const accumulated = await compiled.accumulated();
        return withPenalty(await accumulated.run({ parts, inputs, outputs }));
      }
      const session = await compiled.sessionFor(batch.count);
      const gradients = await runFor(graph.gradients, {
        ...{ runtime, session, feeds: taken(session, { ...feeds, ...inputs }) },
        outputs: sliced === undefined ? { ...found, ...outputs } : found,
      });
      await sliced?.run({ gradients, inputs });
      foldStatistics(graph, {
        from: statistics.map(({ tensor }) => floats(tensor)),
        into: (group) => unchanged[fixed.indexOf(group)] as Tensor,
      });
      return withPenalty({
        loss: floats(loss)[0] as number,
        correct: correct && floats(correct)[0],
      });
    },
    async weights(into) {
      const { weights } = states[steps % 2] as State;
      const groups = [...trained, ...fixed];
      return unpackWeights(groups, [...weights, ...unchanged], { like: model.weights, into });
    },
    async restart({ weights, seed, learningRate = settings.optimizer.learningRate, correction }) {
      requireSameShapes(weights, model.weights);
      start(weights, correction);
      optimizer = { ...settings.optimizer, learningRate };
      random = dropoutStream(seed);
      steps = 0;
    },
    dispose: compiled.release,
  };
}

const dropoutStream = (seed: number) => randomStream(seed, 'dropout');

/**
 * The tensors of trained groups that a step reads and the next one that it writes. Weights alternate: gradients may still
 * be computed from them while the next ones are written. Slots stay where they are: nothing reads an old element behind
 * the operation that writes its next one, which each optimizer's update sees to.
 */
interface State {
  readonly weights: readonly Tensor[];
  /** What the optimizer keeps, and what it begins with. */
  readonly slots: readonly {
    readonly name: string;
    readonly tensors: readonly Tensor[];
    readonly initial: number;
  }[];
  /** All of them, under the names by which a step reads and writes them. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

function createState(
  Tensor: TensorConstructor,
  {
    groups,
    slots,
    shared,
    adopted,
  }: {
    readonly groups: readonly ParameterGroup[];
    readonly slots: Readonly<Record<string, number>>;
    /** The state whose slots are used. */
    readonly shared?: State;
    /** Weights whose arrays are used. */
    readonly adopted?: Weights | undefined;
  },
): State {
  const weights = groupTensors(Tensor, groups, adopted);
  const kept =
    shared?.slots ??
    Object.entries(slots).map(([name, initial]) => {
      return { name, initial, tensors: groupTensors(Tensor, groups) };
    });
  const under = (prefix: string) =>
    Object.assign(
      namedTensors(`${prefix}weights`, groups, weights),
      ...kept.map(({ name, tensors }) => namedTensors(prefix + name, groups, tensors)),
    );
  return { weights, slots: kept, inputs: under(''), outputs: under('next-') };
}

/** The optimizer's numbers of a step. */
function rateFeeds(Tensor: TensorConstructor, optimizer: OptimizerSettings, step: number): Feeds {
  const rates = Object.entries(optimizerRates(optimizer, step));
  return Object.fromEntries(
    rates.map(([name, value]) => [name, new Tensor('float32', Float32Array.of(value), [1])]),
  );
}

/** moving = moving · momentum + batch · (1 - momentum), as Keras does. */
function foldStatistics(
  { statistics }: TrainingGraph,
  {
    from,
    into,
  }: { readonly from: readonly Float32Array[]; readonly into: (group: ParameterGroup) => Tensor },
): void {
  for (const [index, { group, offset, length, momentum }] of statistics.entries()) {
    const moving = floats(into(group));
    for (let at = 0; at < length; at++) {
      const batch = from[index]?.[at] as number;
      moving[offset + at] = (moving[offset + at] as number) * momentum + batch * (1 - momentum);
    }
  }
}

const flatTensor = (Tensor: TensorConstructor, length: number): Tensor =>
  new Tensor('float32', new Float32Array(length), [length]);

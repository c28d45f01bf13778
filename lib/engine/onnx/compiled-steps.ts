/** The compiled steps of a training session: that which most batches take, and others, compiled when they are needed. */
import type { ModelDescription } from '../../model/model-description.js';
import { modelParameters } from '../../model/parameters.js';
import type { TrainingSettings } from '../engine.js';
import { type AccumulatedStep, createAccumulatedStep, examplesPerRun } from './accumulated-step.js';
import { isDevice, type OnnxBackend } from './backends.js';
import { groupParameters } from './graphs/parameter-groups.js';
import { buildTrainingGraph, type TrainingGraph } from './graphs/training-graph.js';
import { createInferenceSession, type InferenceSession, type OnnxRuntime } from './runtime.js';
import { createSlicedUpdate, isUpdatedInSlices, type SlicedUpdate } from './sliced-update.js';

/** What the ONNX engine adds to a session's settings. */
export interface OnnxTrainingSettings extends TrainingSettings {
  /** What the session calls itself. */
  readonly engine: string;
  readonly backend: OnnxBackend;
  /** Channels of a block, for blocked images (see `lib/model/primitives/value.ts`). */
  readonly blockSize?: number | undefined;
}

/** Steps that all take and give the same tensors. */
interface CompiledSteps {
  /** What the tensors of every step are. */
  readonly graph: TrainingGraph;
  /** The step for `batchSize` examples, compiled when it is first asked for. */
  sessionFor(batchSize: number): Promise<InferenceSession>;
  /** The step for batches that are run in parts, compiled when it is first asked for. */
  accumulated(): Promise<AccumulatedStep>;
  /** The update of a large model, whose step gives gradients out. */
  readonly sliced: SlicedUpdate | undefined;
  release(): Promise<void>;
}

/** Compiles the step that most batches will take. @throws {ModelError} for a model that cannot be trained */
export async function compileSteps(
  description: ModelDescription,
  { settings, runtime }: { readonly settings: OnnxTrainingSettings; readonly runtime: OnnxRuntime },
): Promise<CompiledSteps> {
  const { backend, threads, batchSize } = settings;
  const isCorrected = settings.correction !== undefined;
  const options = { ...settings, isCorrected, withoutPoolIndices: isDevice(backend) };
  const isSliced =
    !isDevice(backend) &&
    isUpdatedInSlices(groupParameters(modelParameters(description)), settings.optimizer);
  const gradient = isSliced ? 'output' : 'update';
  const build = (usual: number | undefined) =>
    buildTrainingGraph(description, { ...options, gradient, batchSize: usual });
  const compile = ({ bytes }: TrainingGraph) => createInferenceSession(bytes, { runtime, threads });
  // Elsewhere it was not seen to gain anything; one that is run in parts never comes whole.
  const isWhole = batchSize !== undefined && batchSize <= examplesPerRun(description);
  const usual = backend === 'cpu' && isWhole ? batchSize : undefined;
  const graph = build(usual);
  const first = compile(graph);
  let any = usual === undefined ? first : undefined;
  let accumulated: Promise<AccumulatedStep> | undefined;
  await first;
  const sliced = isSliced ? createSlicedUpdate(graph.groups, { ...options, runtime, threads }) : undefined;
  return {
    graph,
    sliced,
    sessionFor(size) {
      if (size === usual) return first;
      any ??= compile(build(undefined));
      return any;
    },
    accumulated() {
      accumulated ??= createAccumulatedStep(description, graph, {
        ...options,
        batchSize: undefined,
        runtime,
        threads,
        sliced,
      });
      return accumulated;
    },
    async release() {
      await (await accumulated)?.release();
      await sliced?.release();
      await (await first).release();
      if (any !== undefined && any !== first) await (await any).release();
    },
  };
}

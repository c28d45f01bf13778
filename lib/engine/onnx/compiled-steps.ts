/** The compiled steps of a training session: one for batches of the usual size, one for any. */

import type { ModelDescription } from '../../model/model-description.js';
import type { TrainingSettings } from '../engine.js';
import { type AccumulatedStep, createAccumulatedStep, examplesPerRun } from './accumulated-step.js';
import { isDevice, type OnnxBackend } from './backends.js';
import { buildTrainingGraph, type TrainingGraph } from './graphs/training-graph.js';
import { createInferenceSession } from './inference-session.js';
import type { InferenceSession, OnnxRuntime } from './runtime.js';

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
  const build = (usual: number | undefined) =>
    buildTrainingGraph(description, { ...options, batchSize: usual });
  const compile = ({ bytes }: TrainingGraph) => createInferenceSession(bytes, { runtime, threads });
  // Elsewhere it was not seen to gain anything; one that is run in parts never comes whole.
  const isWhole = batchSize !== undefined && batchSize <= examplesPerRun(description);
  const usual = backend === 'cpu' && isWhole ? batchSize : undefined;
  const graph = build(usual);
  const first = compile(graph);
  let any = usual === undefined ? first : undefined;
  let accumulated: Promise<AccumulatedStep> | undefined;
  await first;
  return {
    graph,
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
      });
      return accumulated;
    },
    async release() {
      await (await accumulated)?.release();
      await (await first).release();
      if (any !== undefined && any !== first) await (await any).release();
    },
  };
}

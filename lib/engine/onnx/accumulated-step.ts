/** A step on a batch too large to run at once: the gradients of its parts are added up, then the weights are updated. */

import { moduleOf } from '../../model/layers/registry.js';
import type { ModelDescription } from '../../model/model-description.js';
import { activationCount, maskedOutputs } from '../../model/parameters.js';
import type { StepResult } from '../engine.js';
import { isDevice, type OnnxBackend } from './backends.js';
import { groupTensors, namedTensors, type ParameterGroup } from './graphs/parameter-groups.js';
import { buildUpdateGraph } from './graphs/separate-update.js';
import {
  buildTrainingGraph,
  type TrainingGraph,
  type TrainingGraphOptions,
} from './graphs/training-graph.js';
import {
  createInferenceSession,
  type Feeds,
  floats,
  type OnnxRuntime,
  runInto,
  type Tensor,
  taken,
} from './runtime.js';
import type { SlicedUpdate } from './sliced-update.js';

/** Elements of all layers' outputs in one run: about 350 MB with the copies and gradients that go with them. */
const MAX_ACTIVATIONS = 2 ** 25;

/**
 * Examples that one run may take, by the memory of what lies between the layers. A model with batch normalization takes
 * any batch at once: its statistics are those of the whole batch, and so is the number of steps that a mask lets count.
 */
export function examplesPerRun(description: ModelDescription): number {
  const isMixing = description.layers.some((layer) => moduleOf(layer).mixesExamples);
  if (isMixing || maskedOutputs(description).includes(true)) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(MAX_ACTIVATIONS / activationCount(description)));
}

/**
 * Examples of each part of a batch that is run in parts. On a card they are equal where the batch can be divided so, into
 * at most twice as many parts as are needed: ONNX Runtime's CUDA convolutions plan anew whenever their shape is another
 * than the last one, which took three quarters of a step of three parts (docs/GPU.md).
 */
export function partSize(count: number, largest: number, backend: OnnxBackend): number {
  const fewest = Math.max(1, Math.ceil(count / largest));
  if (isDevice(backend))
    for (let parts = fewest; parts <= 2 * fewest; parts++) if (count % parts === 0) return count / parts;
  return largest;
}

/** What a step reads and writes beside its examples. */
interface StateTensors {
  /** Step size, weights, slots and anchors. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Where the next weights and slots go, unless the update is in slices. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Runs a step part by part. */
export interface AccumulatedStep {
  /** @param parts feeds of the parts, their example weights those of the whole batch; loss and right answers are added up */
  run(step: StateTensors & { readonly parts: readonly Feeds[] }): Promise<StepResult>;
  release(): Promise<void>;
}

/** What such a step is compiled for. */
interface AccumulatedStepOptions extends TrainingGraphOptions {
  readonly runtime: OnnxRuntime;
  readonly threads: number;
  /** The update of a large model, which writes where the inputs lie; it stays its owner's. */
  readonly sliced: SlicedUpdate | undefined;
}

/** The update from gradients that were added up. */
async function createUpdate(
  groups: readonly ParameterGroup[],
  { runtime, threads, sliced, ...options }: AccumulatedStepOptions,
) {
  if (sliced !== undefined) {
    return {
      // The sums are used again: they stay.
      run: (sums: readonly Tensor[], { inputs }: StateTensors) =>
        sliced.run({ gradients: namedTensors('gradient', groups, sums), inputs, keepsGradients: true }),
      release: async () => {},
    };
  }
  const session = await createInferenceSession(buildUpdateGraph(groups, options), { runtime, threads });
  return {
    run(sums: readonly Tensor[], { inputs, outputs }: StateTensors) {
      const feeds = taken(session, { ...inputs, ...namedTensors('sum', groups, sums) });
      return runInto(outputs, { runtime, session, feeds });
    },
    release: () => session.release(),
  };
}

/** Compiles the two graphs of such a step: one that adds to a gradient, and one that updates. */
export async function createAccumulatedStep(
  description: ModelDescription,
  { groups: all }: TrainingGraph,
  options: AccumulatedStepOptions,
): Promise<AccumulatedStep> {
  const { runtime, threads } = options;
  const { Tensor } = runtime;
  const groups = all.filter(({ isTrained }) => isTrained);
  const gradientGraph = buildTrainingGraph(description, { ...options, gradient: 'sum' });
  const gradients = await createInferenceSession(gradientGraph.bytes, { runtime, threads });
  const update = await createUpdate(groups, options);
  const sums = [groupTensors(Tensor, groups), groupTensors(Tensor, groups)] as const;
  const scalar = () => new Tensor('float32', new Float32Array(1), []);
  return {
    async run({ parts, inputs, outputs }) {
      let [sum, nextSum]: readonly (readonly Tensor[])[] = sums;
      let [loss, correct] = [0, 0];
      for (const tensor of sum ?? []) floats(tensor).fill(0);
      for (const part of parts) {
        const found = { loss: scalar(), ...(gradientGraph.countsCorrect ? { correct: scalar() } : {}) };
        await runInto(
          { ...found, ...namedTensors('next-sum', groups, nextSum ?? []) },
          {
            runtime,
            session: gradients,
            feeds: taken(gradients, { ...inputs, ...part, ...namedTensors('sum', groups, sum ?? []) }),
          },
        );
        loss += floats(found.loss)[0] as number;
        if (found.correct !== undefined) correct += floats(found.correct)[0] as number;
        [sum, nextSum] = [nextSum, sum];
      }
      await update.run(sum ?? [], { inputs, outputs });
      return gradientGraph.countsCorrect ? { loss, correct } : { loss };
    },
    async release() {
      await Promise.all([gradients.release(), update.release()]);
    },
  };
}

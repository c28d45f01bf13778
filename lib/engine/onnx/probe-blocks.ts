/**
 * Finds out whether blocked images work here. The operators are undocumented, and the size of a block depends on the
 * processor; so both are tried, and the gradients of the very model are compared with those of the plain graph.
 */

import { messageOf } from '../../core/errors.js';
import { randomStream } from '../../core/random.js';
import { sizeOf } from '../../core/weights.js';
import { GraphBuilder } from '../../model/graph/graph-builder.js';
import { moduleOf } from '../../model/layers/registry.js';
import type { Model, ModelDescription } from '../../model/model-description.js';
import { releaseMemory } from '../../system/memory.js';
import type { Batch, OptimizerSettings } from '../engine.js';
import { encodeOnnxModel } from './graphs/onnx-model.js';
import { partsOf, tensorName, weightFeeds } from './graphs/parameter-groups.js';
import { batchFeeds, buildTrainingGraph, type TrainingGraph } from './graphs/training-graph.js';
import { createInferenceSession, type InferenceSession, loadOnnxRuntime, type Tensor } from './runtime.js';

/** What the probe found: the size of a block, or why images stay plain. */
type ProbeResult =
  | { readonly blockSize: number }
  | { readonly blockSize: undefined; readonly reason: string };

/** Images in the compared batch: enough to fill vector registers, few enough to take no time. */
const PROBE_BATCH = 2;
/** Largest difference of a gradient, relative to the largest element of its array. */
const TOLERANCE = 1e-3;
/** More channels than any block has. */
const PROBE_CHANNELS = 64;

const STILL: OptimizerSettings = { kind: 'sgd', learningRate: 0, momentum: 0 };

/** Whether and how this model can be trained on blocked images on this machine. Never fails. */
export async function probeBlocks(model: Model): Promise<ProbeResult> {
  try {
    const blockSize = await measureBlockSize();
    const hasFilters = model.description.layers.some((layer) =>
      moduleOf(layer).beginsBlocks?.(layer, blockSize),
    );
    if (!hasFilters)
      return { blockSize: undefined, reason: `no convolution has a multiple of ${blockSize} filters` };
    const difference = await gradientDifference(model, blockSize);
    if (difference <= TOLERANCE) return { blockSize };
    return {
      blockSize: undefined,
      reason: `gradients differ by ${difference.toExponential(1)} from the plain graph's`,
    };
  } catch (error) {
    return { blockSize: undefined, reason: messageOf(error) };
  }
}

/**
 * Channels of a block on this processor: two pixels of numbered channels are blocked, and the second pixel begins where
 * a block ends.
 *
 * @throws {Error} where the runtime has no blocked layout
 */
export async function measureBlockSize(): Promise<number> {
  const graph = new GraphBuilder();
  const shape = [1, PROBE_CHANNELS, 1, 2];
  const image = graph.input('image', 'float32', shape);
  graph.output('blocked', graph.blockedOp('ReorderInput', [image]), { type: 'float32', shape });
  const runtime = await loadOnnxRuntime('cpu', 1);
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
  const numbers = Float32Array.from({ length: PROBE_CHANNELS * 2 }, (_, index) => index);
  const outputs = await session.run({ image: new runtime.Tensor('float32', numbers, shape) });
  await session.release();
  const blockSize = floats(outputs, 'blocked').indexOf(1);
  if (blockSize < 2) throw new Error('this processor has no blocked layout');
  return blockSize;
}

async function gradientDifference(model: Model, blockSize: number): Promise<number> {
  const [plain, blocked] = [await gradients(model, undefined), await gradients(model, blockSize)];
  let worst = 0;
  for (const [index, expected] of plain) {
    const found = blocked.get(index) as Float32Array;
    let [largest, difference] = [Number.MIN_VALUE, 0];
    for (let at = 0; at < expected.length; at++) {
      largest = Math.max(largest, Math.abs(expected[at] as number));
      difference = Math.max(difference, Math.abs((expected[at] as number) - (found[at] as number)));
    }
    // A NaN on either side must not pass for agreement.
    const relative = difference / largest;
    if (!(relative <= worst)) worst = relative;
  }
  releaseMemory(...plain.values(), ...blocked.values());
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}

/** Of the trained parameters, by their number. */
async function gradients(
  { description, weights }: Model,
  blockSize: number | undefined,
): Promise<ReturnType<typeof partsOf>> {
  const graph = buildTrainingGraph(description, {
    optimizer: STILL,
    blockSize,
    // As most steps will run.
    batchSize: blockSize === undefined ? undefined : PROBE_BATCH,
    withGradients: true,
  });
  const runtime = await loadOnnxRuntime('cpu', 1);
  const { Tensor } = runtime;
  const session = await createInferenceSession(graph.bytes, { runtime, threads: 1 });
  const random = randomStream(0, 'probe masks');
  const [feeds] = batchFeeds(probeBatch(description, graph), {
    Tensor,
    description,
    graph,
    largest: PROBE_BATCH,
    random: graph.usesRowSeeds ? random : undefined,
  });
  const outputs = await session.run({
    ...feeds,
    ...weightFeeds(Tensor, graph.groups, weights),
    stepSize: new Tensor('float32', Float32Array.of(0), [1]),
  });
  await session.release();
  const trained = graph.groups.filter(({ isTrained }) => isTrained);
  const tensors = trained.map((group) => outputs[tensorName('gradients', group)] as Tensor);
  return partsOf(trained, tensors);
}

/** Random inputs, and targets that are 0 and 1 in turn. */
function probeBatch({ inputs }: ModelDescription, { targets }: TrainingGraph): Batch {
  const random = randomStream(0, 'probe');
  const lengthOf = (shape: readonly number[]) => ({ length: PROBE_BATCH * sizeOf(shape) });
  return {
    count: PROBE_BATCH,
    inputs: inputs.map(({ shape }) => Float32Array.from(lengthOf(shape), () => random.uniform())),
    targets: targets.map(({ type, shape }) =>
      type === 'int32'
        ? Int32Array.from(lengthOf(shape), (_, index) => index % 2)
        : Float32Array.from(lengthOf(shape), (_, index) => index % 2),
    ),
  };
}

function floats(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return (outputs[name] as Tensor).data as Float32Array;
}

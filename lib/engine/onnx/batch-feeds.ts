/** What a compiled training step reads of a batch. */
import type { RandomStream } from '../../core/random.js';
import { sizeOf } from '../../core/weights.js';
import type { ModelDescription } from '../../model/model-description.js';
import type { Batch } from '../engine.js';
import type { TrainingGraph } from './graphs/training-graph.js';
import type { Feeds, TensorConstructor } from './runtime.js';

/** Where a batch goes. */
interface BatchPlace {
  readonly Tensor: TensorConstructor;
  readonly description: ModelDescription;
  readonly graph: Pick<TrainingGraph, 'targets' | 'usesBatchShare'>;
  /** Examples that one part may have. */
  readonly largest: number;
  /** Where the seeds of random masks come from, if the step has any. */
  readonly random: RandomStream | undefined;
}

/** What a step reads of a batch, in parts of at most `largest` examples, and the seeds of its masks if it has any. */
export function batchFeeds(
  { count: all, inputs, targets, exampleWeights }: Batch,
  { Tensor, description, graph, random, ...place }: BatchPlace,
): readonly Feeds[] {
  const largest = Math.min(all, place.largest);
  const shares = exampleWeights?.map((weight) => weight / all);
  const evenShare = new Tensor('float32', Float32Array.of(1 / all), [1]);
  return Array.from({ length: Math.ceil(all / largest) }, (_, part) => {
    const start = part * largest;
    const end = Math.min(all, start + largest);
    const count = end - start;
    return {
      ...Object.fromEntries(
        description.inputs.map(({ name, shape }, at) => {
          const values = inputs[at];
          if (values === undefined) throw new RangeError(`a batch without input ${name}`);
          const size = sizeOf(shape);
          const own = values.subarray(start * size, end * size);
          return [`input/${at}`, new Tensor('float32', own, [count, ...shape])];
        }),
      ),
      ...Object.fromEntries(
        graph.targets.map(({ shape }, at) => {
          const values = targets[at];
          if (values === undefined) throw new RangeError('a batch without a target');
          const size = sizeOf(shape);
          const [from, to] = [start * size, end * size];
          const tensor =
            values instanceof Int32Array
              ? new Tensor('int32', values.subarray(from, to), [count, ...shape])
              : new Tensor('float32', values.subarray(from, to), [count, ...shape]);
          return [`target/${at}`, tensor];
        }),
      ),
      exampleWeight: shares ? new Tensor('float32', shares.subarray(start, end), [count, 1]) : evenShare,
      ...(graph.usesBatchShare ? { batchShare: evenShare } : {}),
      ...(random === undefined
        ? {}
        : {
            rowSeeds: new Tensor(
              'uint32',
              Uint32Array.from({ length: count }, () => random.uint32()),
              [count],
            ),
          }),
    };
  });
}

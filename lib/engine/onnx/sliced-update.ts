/**
 * The update of a large model, slice by slice and in place: what an optimizer computes on the way is then as small as a
 * slice, and the next weights need no memory beside the present ones.
 */

import { sizeOf } from '../../core/weights.js';
import { optimizerModule } from '../../model/optimizers/registry.js';
import { releaseMemory } from '../../system/memory.js';
import type { OptimizerSettings } from '../engine.js';
import type { UpdateOptions } from './graphs/optimizer-graph.js';
import { type ParameterGroup, tensorName } from './graphs/parameter-groups.js';
import { buildSliceUpdateGraph, fitsSlices } from './graphs/separate-update.js';
import {
  createInferenceSession,
  type Feeds,
  floats,
  type InferenceSession,
  type OnnxRuntime,
  runInto,
  type Tensor,
  taken,
} from './runtime.js';

/** Trained parameters from which memory counts for more than a few more calls of the runtime: 16 MB of weights. */
const LARGE_PARAMETERS = 2 ** 22;
/** Elements of a slice: what a processor's cache holds with what is computed from it. */
const SLICE_ELEMENTS = 2 ** 18;

/** Whether a model's weights are updated slice by slice: it is large, and no number of its update depends on others. */
export function isUpdatedInSlices(groups: readonly ParameterGroup[], optimizer: OptimizerSettings): boolean {
  const trained = groups.filter(({ isTrained }) => isTrained);
  const count = trained.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return count >= LARGE_PARAMETERS && fitsSlices(trained, optimizer);
}

/** Updates weights and slots. */
export interface SlicedUpdate {
  /**
   * @param gradients of each group `gradient/<group>`, or the factors `left/<group>` and `right/<group>`
   * @param inputs the optimizer's rates, and of each group weights and slots, which are written, anchors and corrections
   */
  run(step: {
    readonly gradients: Readonly<Record<string, Tensor>>;
    readonly inputs: Readonly<Record<string, Tensor>>;
    /** Whether the memory of the gradients is still used afterwards. */
    readonly keepsGradients?: boolean;
  }): Promise<void>;
  release(): Promise<void>;
}

/** An update of these groups; each of its graphs is compiled when it is first needed. */
export function createSlicedUpdate(
  groups: readonly ParameterGroup[],
  {
    runtime,
    threads,
    ...options
  }: UpdateOptions & { readonly runtime: OnnxRuntime; readonly threads: number },
): SlicedUpdate {
  const { Tensor } = runtime;
  const trained = groups.filter(({ isTrained }) => isTrained);
  const written = ['weights', ...Object.keys(optimizerModule(options.optimizer).slots(options.optimizer))];
  const compiled = new Map<boolean, Promise<InferenceSession>>();
  const sessionFor = (isProduct: boolean) => {
    const known =
      compiled.get(isProduct) ??
      createInferenceSession(buildSliceUpdateGraph(options, isProduct), { runtime, threads });
    compiled.set(isProduct, known);
    return known;
  };
  return {
    async run({ gradients, inputs, keepsGradients = false }) {
      for (const group of trained) {
        const own = (what: string) => gradients[tensorName(what, group)];
        const [gradient, left, right] = [own('gradient'), own('left'), own('right')];
        const session = await sessionFor(gradient === undefined);
        const [rows, columns] = matrixOf(group.shape, gradient === undefined);
        const perSlice = Math.max(1, Math.floor(SLICE_ELEMENTS / columns));
        for (let row = 0; row < rows; row += perSlice) {
          const count = Math.min(perSlice, rows - row);
          const slice = (tensor: Tensor, width = columns) =>
            new Tensor('float32', floats(tensor).subarray(row * width, (row + count) * width), [
              count,
              width,
            ]);
          const named = (what: string) => {
            const tensor = inputs[tensorName(what, group)];
            return tensor === undefined
              ? []
              : [[tensorName(what, { name: 'slice' }), slice(tensor)] as const];
          };
          const outputs = Object.fromEntries(written.flatMap(named));
          const feeds: Feeds = {
            ...inputs,
            ...outputs,
            ...Object.fromEntries(['anchor', 'correction'].flatMap(named)),
            ...(gradient === undefined
              ? {}
              : { [tensorName('gradient', { name: 'slice' })]: slice(gradient) }),
            ...(left === undefined ? {} : { left: slice(left, left.dims[1]) }),
            ...(right === undefined ? {} : { right }),
          };
          const next = Object.entries(outputs).map(([name, tensor]) => [`next-${name}`, tensor] as const);
          await runInto(Object.fromEntries(next), { runtime, session, feeds: taken(session, feeds) });
        }
        if (keepsGradients) continue;
        releaseMemory(...[gradient, left, right].flatMap((each) => (each === undefined ? [] : floats(each))));
      }
    },
    async release() {
      for (const session of compiled.values()) await (await session).release();
    },
  };
}

/** A group's tensors as rows: those of its matrix, or single numbers. */
function matrixOf(shape: readonly number[], isMatrix: boolean): readonly [number, number] {
  return isMatrix ? [shape[0] as number, shape[1] as number] : [sizeOf(shape), 1];
}

/** Compares vector-Jacobian products with finite differences of what they are derived from, both run by ONNX Runtime. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sizeOf } from '../lib/core/weights.js';
import { encodeOnnxModel } from '../lib/engine/onnx/graphs/onnx-model.js';
import { createInferenceSession, loadOnnxRuntime } from '../lib/engine/onnx/runtime.js';
import { GraphBuilder } from '../lib/model/graph/graph-builder.js';
import { laidOut } from '../lib/model/primitives/layout.js';
import {
  BATCH_AXIS,
  type Gradient,
  gradients,
  gradientTensor,
  type Value,
} from '../lib/model/primitives/value.js';

const runtime = await loadOnnxRuntime('cpu', 1);

/** Examples of a batch. */
export const EXAMPLES = 2;
/** Of the differences: a power of two, so that the steps themselves are exact. */
const STEP = 2 ** -5;

/** A function of some values, the shapes of the values, and the numbers in them. */
export interface Problem {
  readonly apply: (...values: readonly Value[]) => Value;
  readonly shapes: readonly (readonly number[])[];
  readonly numbers: readonly Float32Array[];
}

const concrete = (shape: readonly number[]) =>
  shape.map((extent) => (extent === BATCH_AXIS ? EXAMPLES : extent));

/** Makes sure that each element of each gradient is the slope of the weighted sum of the output. */
export async function assertSlopes({ apply, shapes, numbers }: Problem, tolerance = 2e-4): Promise<void> {
  const graph = new GraphBuilder();
  const symbolic = (shape: readonly number[]) =>
    shape.map((extent) => (extent === BATCH_AXIS ? 'batch' : extent));
  const values = shapes.map((shape, at) => ({
    graph,
    tensor: graph.input(`x${at}`, 'float32', symbolic(shape)),
    shape,
  }));
  const output = laidOut(apply(...values));
  const found = gradients(output, graph.input('dy', 'float32', symbolic(output.shape)), values);
  graph.output('y', output.tensor, { type: 'float32', shape: symbolic(output.shape) });
  for (const [at, gradient] of found.entries())
    graph.output(`dx${at}`, gradientTensor(graph, gradient as Gradient), {
      type: 'float32',
      shape: symbolic(shapes[at] ?? []),
    });
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
  const outputShape = concrete(output.shape);
  // Multiples of 1/8 again: sums and products of them are exact.
  const dy = Float32Array.from({ length: sizeOf(outputShape) }, (_, at) => (((at * 5) % 7) - 3) / 4 + 0.125);
  const run = (inputs: readonly Float32Array[]) =>
    session.run({
      ...Object.fromEntries(
        inputs.map((each, at) => [
          `x${at}`,
          new runtime.Tensor('float32', each, concrete(shapes[at] as readonly number[])),
        ]),
      ),
      dy: new runtime.Tensor('float32', dy, outputShape),
    });
  const first = await run(numbers);
  assert.deepEqual(first.y?.dims, outputShape);
  const weighted = async (inputs: readonly Float32Array[]) => {
    const { y } = await run(inputs);
    const values = y?.data as Float32Array;
    return values.reduce((sum, each, at) => sum + each * (dy[at] as number), 0);
  };
  for (const [input, values] of numbers.entries()) {
    assert.deepEqual(first[`dx${input}`]?.dims, concrete(shapes[input] as readonly number[]));
    const gradient = first[`dx${input}`]?.data as Float32Array;
    for (const at of values.keys()) {
      const moved = (steps: number) =>
        weighted(
          numbers.map((each, other) =>
            other === input ? each.map((x, index) => (index === at ? x + steps * STEP : x)) : each,
          ),
        );
      // The central difference of fourth order.
      const near = (await moved(1)) - (await moved(-1));
      const far = (await moved(2)) - (await moved(-2));
      const slope = (8 * near - far) / (12 * STEP);
      const difference = Math.abs(slope - (gradient[at] as number));
      assert.ok(
        difference <= tolerance * Math.max(1, Math.abs(slope)),
        `input ${input}, element ${at}: slope ${slope}, gradient ${gradient[at]}`,
      );
    }
  }
  await session.release();
}

/** Numbers at least 1/8 apart, and 1/16 from every multiple of 1/8, where some functions have a corner. */
export const distinct = (shape: readonly number[], lowest: number) => {
  const length = sizeOf(concrete(shape));
  return fc
    .uniqueArray(fc.integer({ min: lowest, max: lowest + Math.max(40, length) }), {
      minLength: length,
      maxLength: length,
    })
    .map((places) => Float32Array.from(places, (place) => place / 8 + 1 / 16));
};

/** Few elements along an axis. */
export const extent = fc.integer({ min: 1, max: 3 });
/** `[batch, …]` of two to four axes. */
const anyShape = fc.array(extent, { minLength: 1, maxLength: 3 }).map((rest) => [BATCH_AXIS, ...rest]);

/** Any function of one value, of any shape. */
export const ofOne = (
  apply: (value: Value, choose: number) => Value,
  { lowest = -20, shape = anyShape } = {},
) =>
  shape.chain((given) =>
    fc.tuple(distinct(given, lowest), fc.nat({ max: 1000 })).map(([numbers, choose]) => ({
      apply: (...[value]: readonly Value[]) => apply(value as Value, choose),
      shapes: [given],
      numbers: [numbers],
    })),
  );

/** Two shapes that fit together: one has the axes of the other, some of them 1, or only the last ones. */
export const ofTwo = (apply: (a: Value, b: Value) => Value, { lowest = -20 } = {}) =>
  anyShape
    .chain((whole) =>
      fc
        .tuple(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat({ max: 3 }), fc.boolean())
        .map(([single, dropped, swap]) => {
          const part = whole
            .map((each, at) => (single[at] ? 1 : each))
            .slice(Math.min(dropped, whole.length));
          return swap ? [part, whole] : [whole, part];
        }),
    )
    .chain((shapes) =>
      fc.tuple(...shapes.map((shape) => distinct(shape, lowest))).map((numbers) => ({
        apply: (...[a, b]: readonly Value[]) => apply(a as Value, b as Value),
        shapes,
        numbers,
      })),
    );

/** A function of values of given shapes. */
export const ofShapes = (
  apply: (values: readonly Value[], choose: number) => Value,
  shapes: readonly (readonly number[])[],
) =>
  fc
    .tuple(fc.tuple(...shapes.map((shape) => distinct(shape, -20))), fc.nat({ max: 1000 }))
    .map(([numbers, choose]) => ({
      apply: (...values: readonly Value[]) => apply(values, choose),
      shapes,
      numbers,
    }));

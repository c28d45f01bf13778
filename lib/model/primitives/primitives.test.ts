/** Each primitive's vector-Jacobian product agrees with finite differences of its node, both run by ONNX Runtime. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sizeOf } from '../../core/weights.js';
import { encodeOnnxModel } from '../../engine/onnx/graphs/onnx-model.js';
import { createInferenceSession } from '../../engine/onnx/inference-session.js';
import { loadOnnxRuntime } from '../../engine/onnx/runtime.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { add, div, mul, sub } from './arithmetic.js';
import {
  abs,
  clip,
  elu,
  erf,
  exp,
  leakyRelu,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  tanh,
} from './elementwise.js';
import { reduceMax, reduceMean } from './reductions.js';
import { expand, pad, reshape, transpose } from './shaping.js';
import { BATCH_AXIS, gradients, type Value } from './value.js';

const runtime = await loadOnnxRuntime('cpu', 1);

/** Examples of a batch. */
const EXAMPLES = 2;
/** Of the differences: a power of two, so that the steps themselves are exact. */
const STEP = 2 ** -5;

/** A function of some values, the shapes of the values, and the numbers in them. */
interface Problem {
  readonly apply: (...values: readonly Value[]) => Value;
  readonly shapes: readonly (readonly number[])[];
  readonly numbers: readonly Float32Array[];
}

const concrete = (shape: readonly number[]) =>
  shape.map((extent) => (extent === BATCH_AXIS ? EXAMPLES : extent));

/** Makes sure that each element of each gradient is the slope of the weighted sum of the output. */
async function assertSlopes({ apply, shapes, numbers }: Problem, tolerance = 2e-4): Promise<void> {
  const graph = new GraphBuilder();
  const symbolic = (shape: readonly number[]) =>
    shape.map((extent) => (extent === BATCH_AXIS ? 'batch' : extent));
  const values = shapes.map((shape, at) => ({
    graph,
    tensor: graph.input(`x${at}`, 'float32', symbolic(shape)),
    shape,
  }));
  const output = apply(...values);
  const found = gradients(output, graph.input('dy', 'float32', symbolic(output.shape)), values);
  graph.output('y', output.tensor, { type: 'float32', shape: symbolic(output.shape) });
  for (const [at, gradient] of found.entries())
    graph.output(`dx${at}`, gradient, { type: 'float32', shape: symbolic(shapes[at] ?? []) });
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
const distinct = (shape: readonly number[], lowest: number) => {
  const length = sizeOf(concrete(shape));
  return fc
    .uniqueArray(fc.integer({ min: lowest, max: lowest + Math.max(40, length) }), {
      minLength: length,
      maxLength: length,
    })
    .map((places) => Float32Array.from(places, (place) => place / 8 + 1 / 16));
};

const extent = fc.integer({ min: 1, max: 3 });
/** `[batch, …]` of two to four axes. */
const anyShape = fc.array(extent, { minLength: 1, maxLength: 3 }).map((rest) => [BATCH_AXIS, ...rest]);

/** Any function of one value, of any shape. */
const ofOne = (apply: (value: Value, choose: number) => Value, { lowest = -20, shape = anyShape } = {}) =>
  shape.chain((given) =>
    fc.tuple(distinct(given, lowest), fc.nat({ max: 1000 })).map(([numbers, choose]) => ({
      apply: (...[value]: readonly Value[]) => apply(value as Value, choose),
      shapes: [given],
      numbers: [numbers],
    })),
  );

/** Two shapes that fit together: one has the axes of the other, some of them 1, or only the last ones. */
const ofTwo = (apply: (a: Value, b: Value) => Value, { lowest = -20 } = {}) =>
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

const image = fc.tuple(extent, extent, extent).map((rest) => [BATCH_AXIS, ...rest]);
const reduction = (choose: number, { shape }: Value) => {
  const axes = shape.flatMap((_, at) => (at > 0 && (choose >> at) % 2 === 1 ? [at] : []));
  return { axes: axes.length === 0 ? [shape.length - 1] : axes, keepAxes: choose % 2 === 1 };
};

const PROBLEMS: Readonly<Record<string, fc.Arbitrary<Problem>>> = {
  add: ofTwo(add),
  sub: ofTwo(sub),
  mul: ofTwo(mul),
  div: ofTwo(div, { lowest: 8 }),
  'arithmetic with numbers': ofOne((x) => sub(1, div(mul(add(x, 0.5), 3), 2))),
  sqrt: ofOne(sqrt, { lowest: 8 }),
  exp: ofOne(exp),
  abs: ofOne(abs),
  erf: ofOne(erf),
  sigmoid: ofOne(sigmoid),
  tanh: ofOne(tanh),
  softplus: ofOne(softplus),
  elu: ofOne(elu(0.75)),
  leakyRelu: ofOne(leakyRelu(0.25)),
  clip: ofOne((x) => clip(x, -0.5, 1)),
  softmax: ofOne(softmax),
  reshape: ofOne((x) => reshape(x, [BATCH_AXIS, sizeOf(x.shape.slice(1))])),
  transpose: ofOne(
    (x, choose) =>
      transpose(
        x,
        [
          [0, 1, 2, 3],
          [0, 2, 3, 1],
          [0, 3, 1, 2],
          [0, 3, 2, 1],
        ][choose % 4] ?? [],
      ),
    { shape: image },
  ),
  pad: ofOne(
    (x, choose) =>
      pad(x, [
        [0, 0],
        [0, 0],
        [choose % 2, 2],
        [0, choose % 3],
      ]),
    { shape: image },
  ),
  'pad that cuts off': ofOne(
    (x, choose) =>
      pad(x, [
        [0, 0],
        [1, 0],
        [-(choose % 2), -1],
        [0, 0],
      ]),
    {
      shape: fc.constant([BATCH_AXIS, 2, 3, 2]),
    },
  ),
  expand: ofOne((x, choose) =>
    expand(reshape(x, [...x.shape, 1, 1]), [...x.shape.map(() => 1), 2, 1 + (choose % 3)]),
  ),
  reduceMean: ofOne((x, choose) => reduceMean(x, reduction(choose, x))),
  reduceMax: ofOne((x, choose) => reduceMax(x, reduction(choose, x))),
  'a value that is used twice': ofOne((x) => mul(x, add(tanh(x), x))),
};

describe('vector-Jacobian product', () => {
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    it(`of ${name} is the slope`, () =>
      fc.assert(
        fc.asyncProperty(problem, (each) => assertSlopes(each)),
        { numRuns: 6, seed: 3 },
      ));
  }

  it('would be seen to be wrong', async () => {
    const apply = (...[x]: readonly Value[]) => {
      const y = exp(x as Value);
      return { ...y, origin: { inputs: [x as Value], vjps: [(dy: string) => dy] } };
    };
    await assert.rejects(
      assertSlopes({ apply, shapes: [[BATCH_AXIS, 1]], numbers: [Float32Array.of(0.5, 1)] }),
      /slope/,
    );
  });
});

/** The vector-Jacobian products of primitives that sequences need agree with finite differences of their nodes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertSlopes, distinct, extent, ofOne, type Problem } from '../../../test/slopes.js';
import { add, mul } from './arithmetic.js';
import { relu, sigmoid, tanh } from './elementwise.js';
import { multiply, multiplyEach, multiplyRows } from './products.js';
import { recur } from './recurrence.js';
import { concat, equalParts, reverse, slice, where } from './shaping.js';
import { BATCH_AXIS, type Value } from './value.js';

/** Values of these shapes; small numbers keep products small. */
const ofShapes = (
  apply: (...values: readonly Value[]) => Value,
  shapes: fc.Arbitrary<readonly (readonly number[])[]>,
): fc.Arbitrary<Problem> =>
  shapes.chain((given) =>
    fc
      .tuple(...given.map((shape) => distinct(shape, -10)))
      .map((numbers) => ({ apply, shapes: given, numbers: numbers.map((each) => each.map((x) => x / 4)) })),
  );

const bySize = (shapes: (a: number, b: number, c: number) => readonly (readonly number[])[]) =>
  fc.tuple(extent, extent, extent).map((sizes) => shapes(...sizes));

const UNITS = 2;

/** A cell with two states, a sequence whose gradients lie along different paths, and a shared matrix. */
const cell = (ofEach: boolean, isMasked: boolean) =>
  ofShapes(
    (...[h0, c0, sequence, matrix]) => {
      const values = [h0, c0, sequence, matrix] as readonly [Value, Value, Value, Value];
      const [h, c, inputs, weights] = values;
      const { graph } = h;
      const steps = inputs.shape[0] as number;
      const mask = graph.op('Equal', [
        graph.constant(
          Int32Array.from({ length: steps }, (_, at) => at % 2),
          [steps, 1, 1],
        ),
        graph.constant(Int32Array.of(0)),
      ]);
      const course = recur({
        states: [h, c],
        sequences: [inputs],
        matrices: [weights],
        mask: isMasked ? mask : undefined,
        step({ states, elements, products }) {
          const [before, kept] = states as readonly [Value, Value];
          const [product] = products as readonly [(x: Value, plus: Value) => Value];
          const gates = equalParts(product(before, elements[0] as Value), { axis: 0, parts: 2 });
          const [gate, candidate] = gates as readonly [Value, Value];
          const next = add(mul(sigmoid(gate), kept), tanh(candidate));
          return [mul(tanh(next), sigmoid(gate)), next];
        },
      });
      return ofEach ? course.all() : course.last();
    },
    extent.map((steps) => [
      [UNITS, BATCH_AXIS],
      [UNITS, BATCH_AXIS],
      [steps + 1, 2 * UNITS, BATCH_AXIS],
      [2 * UNITS, UNITS],
    ]),
  );

const PROBLEMS: Readonly<Record<string, fc.Arbitrary<Problem>>> = {
  relu: ofOne(relu),
  slice: ofOne((x) => slice(concat([x, x, x], 1), { axis: 1, start: 1, length: 2 })),
  reverse: ofOne((x) => mul(reverse(x, 1), x)),
  'equal parts, one of which nothing depends on': ofOne((x) => {
    const parts = equalParts(concat([x, mul(x, x), x], 1), { axis: 1, parts: 3 });
    return mul(parts[1] as Value, parts[0] as Value);
  }),
  concat: ofOne((x) => concat([mul(x, x), tanh(x), x], 1)),
  where: ofOne((x) => {
    const { graph } = x;
    return where(graph.op('Greater', [x.tensor, graph.scalar(0)]), mul(x, x), tanh(x));
  }),
  multiplyEach: ofShapes(
    (...[matrix, sequence]) => multiplyEach(matrix as Value, sequence as Value),
    bySize((steps, k, rows) => [
      [rows, k],
      [steps, k, BATCH_AXIS],
    ]),
  ),
  multiply: ofShapes(
    (...[a, b]) => multiply(a as Value, b as Value),
    bySize((m, k, n) => [
      [BATCH_AXIS, 2, m, k],
      [BATCH_AXIS, 2, k, n],
    ]),
  ),
  multiplyRows: ofShapes(
    (...[x, kernel]) => multiplyRows(x as Value, kernel as Value),
    bySize((m, k, n) => [
      [BATCH_AXIS, m, k],
      [k, n],
    ]),
  ),
  'recur to all steps': cell(true, false),
  'recur to the last step': cell(false, false),
  'recur with a mask': cell(true, true),
};

describe('vector-Jacobian product', () => {
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    it(`of ${name} is the slope`, () =>
      fc.assert(
        fc.asyncProperty(problem, (each) => assertSlopes(each)),
        { numRuns: 3, seed: 3 },
      ));
  }

  it('of a recurrence would be seen to be wrong', async () => {
    const [problem] = fc.sample(cell(true, false), { numRuns: 1, seed: 5 }) as [Problem];
    const apply = (...values: readonly Value[]) => {
      const y = problem.apply(...values);
      const inputs = y.origin?.inputs ?? [];
      const vjps = (y.origin?.vjps ?? []).map((vjp) => (dy: string) => {
        const share = vjp(dy) as string;
        return y.graph.op('Mul', [share, y.graph.scalar(1.01)]);
      });
      return { ...y, origin: { inputs, vjps } };
    };
    await assert.rejects(assertSlopes({ ...problem, apply }), /slope/);
  });
});

/** GRU: a cell of two gates (Cho et al. 2014, arXiv 1406.1078). */
import { add, mul, sub } from '../../primitives/arithmetic.js';
import type { Product } from '../../primitives/recurrence.js';
import { equalParts, expand, reshape, slice, transpose } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import { activate } from '../activation.js';
import type { LayerContext, LayerModule } from '../layer-module.js';
import { flag, type LayerWith } from '../settings.js';
import {
  dropInputs,
  gateActivation,
  inputGates,
  recurrentModule,
  recurrentParameters,
  recurrentSettings,
  runCell,
  stateDropout,
  WITHOUT_EFFECT,
} from './recurrent.js';

const settings = {
  ...recurrentSettings,
  recurrentActivation: gateActivation,
  /** Whether the reset gate is applied to the product of the state, which then has a bias of its own; or to the state. */
  resetAfter: flag('reset_after'),
};

type GruLayer = LayerWith<'gru', typeof settings>;

/** Gates in Keras' order: update, reset, candidate. The bias is `[3·units]`, or `[2, 3·units]` with a reset after. */
export const gru: LayerModule<GruLayer> = {
  ...recurrentModule,
  kind: 'gru',
  keras: [{ names: ['GRU'], settings, withoutEffect: WITHOUT_EFFECT }],
  notInTensorflow: (layer) => (layer.resetAfter ? 'reset_after' : undefined),
  parameters(layer, input) {
    const length = 3 * layer.units;
    const shape = layer.resetAfter ? [2, length] : [length];
    return recurrentParameters(layer, input, { gates: 3, bias: { shape, initial: 'zeros' } });
  },
  forward: (layer, [x], context) =>
    layer.resetAfter ? resetAfter(layer, x, context) : resetBefore(layer, x, context),
};

/** h' = z·h + (1 - z)·candidate */
function update(
  layer: GruLayer,
  { h, z, candidate }: Readonly<Record<'h' | 'z' | 'candidate', Value>>,
): Value {
  const gate = activate(layer.recurrentActivation, z);
  return add(mul(gate, h), mul(sub(1, gate), activate(layer.cellActivation, candidate)));
}

/** candidate = Wᵀx + b + r·(Uᵀh + b'): one product with the state. */
function resetAfter(layer: GruLayer, x: Value, context: LayerContext): Value {
  const { parameter } = context;
  const length = 3 * layer.units;
  const biases = layer.useBias
    ? [0, 1].map((start) => slice(parameter('bias'), { axis: 0, start, length: 1 }))
    : [];
  const [ofInput, ofState] = biases.map((each) => reshape(each, [length]));
  const inputs = inputGates(layer, dropInputs(layer, x, context), parameter('kernel'), ofInput);
  const kept = stateDropout(layer, x, context);
  const [steps = 0] = inputs.shape;
  return runCell(layer, x, {
    states: 1,
    sequences: [
      inputs,
      ...(ofState === undefined ? [] : [expand(reshape(ofState, [1, length, 1]), [steps, 1, 1])]),
    ],
    matrices: [transpose(parameter('recurrent_kernel'), [1, 0])],
    step({ states, elements: [input, bias], products }) {
      const [h] = states as readonly [Value];
      const [product] = products as readonly [Product];
      const [ofZ, ofR, ofCandidate] = threeParts(input as Value);
      const [z, r, candidate] = threeParts(product(kept(h), bias));
      const reset = activate(layer.recurrentActivation, add(ofR, r));
      return [update(layer, { h, z: add(ofZ, z), candidate: add(ofCandidate, mul(reset, candidate)) })];
    },
  });
}

/** candidate = Wᵀx + b + Uᵀ(r·h): a product with the state, and one with what the reset gate leaves of it. */
function resetBefore(layer: GruLayer, x: Value, context: LayerContext): Value {
  const { parameter } = context;
  const { units } = layer;
  const bias = layer.useBias ? parameter('bias') : undefined;
  const inputs = inputGates(layer, dropInputs(layer, x, context), parameter('kernel'), bias);
  const keep = stateDropout(layer, x, context);
  const rows = transpose(parameter('recurrent_kernel'), [1, 0]);
  return runCell(layer, x, {
    states: 1,
    sequences: [
      slice(inputs, { axis: 1, start: 0, length: 2 * units }),
      slice(inputs, { axis: 1, start: 2 * units, length: units }),
    ],
    matrices: [
      slice(rows, { axis: 0, start: 0, length: 2 * units }),
      slice(rows, { axis: 0, start: 2 * units, length: units }),
    ],
    step({ states, elements, products }) {
      const [h] = states as readonly [Value];
      const [ofGates, ofCandidate] = elements as readonly [Value, Value];
      const [gates, candidate] = products as readonly [Product, Product];
      const kept = keep(h);
      const [z, r] = equalParts(gates(kept, ofGates), { axis: 0, parts: 2 }) as readonly [Value, Value];
      const left = mul(activate(layer.recurrentActivation, r), kept);
      return [update(layer, { h, z, candidate: candidate(left, ofCandidate) })];
    },
  });
}

const threeParts = (value: Value) =>
  equalParts(value, { axis: 0, parts: 3 }) as readonly [Value, Value, Value];

/** Add, Multiply, Subtract, Average, Maximum and Minimum: several values of one shape, element by element. */
import { ModelError } from '../../core/errors.js';
import { add, maximum, minimum, mul, sub } from '../primitives/arithmetic.js';
import type { Value } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';

const OPERATIONS = {
  add: { className: 'Add', of: (values: Values) => values.reduce(add) },
  multiply: { className: 'Multiply', of: (values: Values) => values.reduce(mul) },
  subtract: { className: 'Subtract', of: (values: Values) => values.reduce(sub) },
  average: { className: 'Average', of: (values: Values) => mul(values.reduce(add), 1 / values.length) },
  maximum: { className: 'Maximum', of: (values: Values) => values.reduce(maximum) },
  minimum: { className: 'Minimum', of: (values: Values) => values.reduce(minimum) },
} as const;

type Values = readonly [Value, ...Value[]];

/** How the values become one. */
type MergeLayer = {
  readonly kind: 'merge';
  readonly name: string;
  readonly operation: keyof typeof OPERATIONS;
};

/** Extents of 1 are repeated. */
export const merge: LayerModule<MergeLayer> = {
  kind: 'merge',
  keras: Object.entries(OPERATIONS).map(([operation, { className }]) => ({
    names: [className] as const,
    settings: {},
    given: { operation },
  })),
  inputCount: [2, Number.POSITIVE_INFINITY],
  outputShape({ name, operation }, ...inputs) {
    if (operation === 'subtract' && inputs.length !== 2)
      throw new ModelError(`layer ${name}: Subtract takes 2 inputs, is given ${inputs.length}`);
    return inputs.reduce((left, right) => {
      if (left.length !== right.length) throw new ModelError(`layer ${name}: its inputs do not fit together`);
      return left.map((extent, at) => {
        const other = right[at] as number;
        if (extent !== other && extent !== 1 && other !== 1)
          throw new ModelError(`layer ${name}: its inputs do not fit together`);
        return extent === 1 ? other : extent;
      });
    });
  },
  forward: ({ operation }, inputs) => OPERATIONS[operation].of(inputs),
};

/** Chains a model's operations in a graph of values. */
import type { Tensor } from '../../../model/graph/graph-builder.js';
import type { LayerContext } from '../../../model/layers/layer-module.js';
import { type Layer, moduleOf } from '../../../model/layers/registry.js';
import { isActivation } from '../../../model/operations.js';
import type { Parameter } from '../../../model/parameters.js';
import type { Value } from '../../../model/primitives/value.js';

/** The values that stand for a model's parameters in a graph, in order. */
export interface ValuedParameter extends Parameter {
  readonly value: Value;
}

/** Settings of a network under construction. */
interface NetworkOptions
  extends Pick<LayerContext, 'training' | 'batchSize' | 'blockSize' | 'withoutPoolIndices' | 'rowSeeds'> {
  readonly operations: readonly Layer[];
  readonly parameters: readonly ValuedParameter[];
}

/** A network in a graph. */
export interface Network {
  readonly output: Value;
  /** Batch statistics by `layer/role`. */
  readonly statistics: ReadonlyMap<string, Tensor>;
}

/** The key of a parameter: unique in its model. */
export const parameterKey = ({ layer, role }: Pick<Parameter, 'layer' | 'role'>) => `${layer}/${role}`;

/** Adds `operations` on `input`. */
export function buildNetwork(input: Value, { operations, parameters, ...context }: NetworkOptions): Network {
  const values = new Map(parameters.map((each) => [parameterKey(each), each.value]));
  const statistics = new Map<string, Tensor>();
  const output = operations.reduce(
    (value, layer, index) =>
      moduleOf(layer).forward(layer, [value], {
        ...context,
        salt: index,
        followedByRelu: beginsWithRelu(operations.slice(index + 1)),
        parameter: (role) => {
          const found = values.get(parameterKey({ layer: layer.name, role }));
          if (found === undefined) throw new Error(`no parameter ${role} of layer ${layer.name}`);
          return found;
        },
        batchStatistic: (role, tensor) => statistics.set(parameterKey({ layer: layer.name, role }), tensor),
      }),
    input,
  );
  return { output, statistics };
}

/** Whether the first of these operations is a relu, or one with a relu behind it that may as well come before. */
function beginsWithRelu([first, second]: readonly Layer[]): boolean {
  const isRelu = (layer: Layer | undefined) => isActivation(layer, 'relu');
  return (
    isRelu(first) || (first !== undefined && moduleOf(first).commutesWithRelu === true && isRelu(second))
  );
}

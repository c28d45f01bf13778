/** A model's inputs and operations in a graph of values. */

import { ModelError } from '../../../core/errors.js';
import type { GraphBuilder, Tensor } from '../../../model/graph/graph-builder.js';
import type { LayerContext } from '../../../model/layers/layer-module.js';
import { moduleOf } from '../../../model/layers/registry.js';
import type { ModelDescription } from '../../../model/model-description.js';
import {
  isActivation,
  type OperationPlan,
  type PlannedOperation,
  readersOf,
} from '../../../model/operations.js';
import type { Parameter } from '../../../model/parameters.js';
import { BATCH_AXIS, type Value } from '../../../model/primitives/value.js';

/** The values that stand for a model's parameters in a graph, in order. */
export interface ValuedParameter extends Parameter {
  readonly value: Value;
}

/** Settings of a network under construction. */
interface NetworkOptions
  extends Pick<
    LayerContext,
    'training' | 'batchSize' | 'blockSize' | 'withoutPoolIndices' | 'rowSeeds' | 'batchShare'
  > {
  readonly plan: OperationPlan;
  readonly parameters: readonly ValuedParameter[];
}

/** A network in a graph. */
interface Network {
  readonly outputs: readonly Value[];
  /** Batch statistics by `layer/role`. */
  readonly statistics: ReadonlyMap<string, Tensor>;
  /** Scalars that belong to the loss. */
  readonly penalties: readonly Value[];
}

const SHARED_STATISTICS =
  'is called several times, so that its statistics are of no one batch: such a model can predict only';

/** The key of a parameter: unique in its model. */
export const parameterKey = ({ layer, role }: Pick<Parameter, 'layer' | 'role'>) => `${layer}/${role}`;

/** The symbolic batch axis. */
export const BATCH = 'batch';

/** TensorProto.DataType of a float. */
export const FLOAT = 1;

/**
 * The inputs of a model in a graph, by the model's own names: `input/0`, … of floats; where they are given other names,
 * for programs that know the model as Keras does, those that Keras takes whole numbers at are of int32.
 */
export function modelInputs(
  graph: GraphBuilder,
  { inputs }: ModelDescription,
  names?: readonly string[],
): ReadonlyMap<string, Value> {
  return new Map(
    inputs.map(({ name, shape, isInteger = false }, at) => {
      const isWhole = names !== undefined && isInteger;
      const given = graph.input(names?.[at] ?? `input/${at}`, isWhole ? 'int32' : 'float32', [
        BATCH,
        ...shape,
      ]);
      const tensor = isWhole ? graph.op('Cast', [given], { to: FLOAT }) : given;
      return [name, { graph, tensor, shape: [BATCH_AXIS, ...shape] }];
    }),
  );
}

/** Adds the operations of a plan on a model's inputs, given by their names. */
export function buildNetwork(
  inputs: ReadonlyMap<string, Value>,
  { plan, parameters, ...context }: NetworkOptions,
): Network {
  const parameterValues = new Map(parameters.map((each) => [parameterKey(each), each.value]));
  const statistics = new Map<string, Tensor>();
  const penalties: Value[] = [];
  const values = new Map(inputs);
  const named = (name: string) => values.get(name) as Value;
  for (const [index, operation] of plan.operations.entries()) {
    const { layer } = operation;
    const given = operation.inputs.map(named) as unknown as readonly [Value, ...Value[]];
    const module = moduleOf(layer);
    const output = module.forward(layer, given, {
      ...context,
      salt: index,
      followedByRelu: isFollowedByRelu(plan, operation),
      parameter: (role) => {
        const found = parameterValues.get(parameterKey({ layer: layer.name, role }));
        if (found === undefined) throw new Error(`no parameter ${role} of layer ${layer.name}`);
        return found;
      },
      penalty: (term) => penalties.push(term),
      batchStatistic(role, tensor) {
        const key = parameterKey({ layer: layer.name, role });
        if (statistics.has(key)) throw new ModelError(`layer ${layer.name}: ${SHARED_STATISTICS}`);
        statistics.set(key, tensor);
      },
    });
    // Whoever takes no mask has none; the activation in a layer that keeps it keeps it too.
    const kept = module.maskBehind?.(layer) === 'dropped' ? undefined : given[0].mask;
    const mask = module.masks?.(layer) === true ? output.mask : kept;
    values.set(operation.output, output.mask === mask ? output : { ...output, mask });
  }
  return { outputs: plan.outputs.map(named), statistics, penalties };
}

/** Whether a relu alone reads what comes out, or an operation behind which a relu may as well come before it. */
function isFollowedByRelu({ operations, outputs }: OperationPlan, { output }: PlannedOperation): boolean {
  const [reader, ...others] = readersOf(operations, output);
  if (reader === undefined || others.length > 0 || outputs.includes(output)) return false;
  if (isActivation(reader.layer, 'relu')) return true;
  const [next, ...more] = readersOf(operations, reader.output);
  const isAlone = more.length === 0 && !outputs.includes(reader.output);
  return moduleOf(reader.layer).commutesWithRelu === true && isAlone && isActivation(next?.layer, 'relu');
}

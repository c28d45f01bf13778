/** A model as the plain operations that an engine compiles, with rewrites that change speed but not results. */
import type { ActivationName } from './layers/activation.js';
import type { NamedLayer } from './layers/layer-module.js';
import type { Penalty } from './layers/layer-training.js';
import { type Layer, moduleOf } from './layers/registry.js';
import { type LayerCall, layerOfCall, type ModelDescription } from './model-description.js';

/** One operation: a layer without its activation, or an activation. */
export interface PlannedOperation extends Omit<LayerCall, 'layer'> {
  readonly layer: Layer;
}

/** The operations of a model in order of computation, and the values that it gives. */
export interface OperationPlan {
  readonly operations: readonly PlannedOperation[];
  readonly outputs: readonly string[];
}

/** The operations of a model: activations stand by themselves, and cheap things come after size is reduced. */
export function planOperations(description: ModelDescription): OperationPlan {
  return mergeLayers(poolBeforeRelu(withoutActivations(description)));
}

/** The operations before the activation that an output ends in; undefined where it ends in another one, or in none. */
export function operationsBefore(
  { operations, outputs }: OperationPlan,
  activation: ActivationName,
  at = 0,
): OperationPlan | undefined {
  const last = operations.find((each) => each.output === outputs[at]);
  if (last === undefined || !isActivation(last.layer, activation)) return undefined;
  const logits = outputs.map((output, index) => (index === at ? (last.inputs[0] as string) : output));
  // What else reads the probabilities goes on doing so.
  const isRead = readersOf(operations, last.output).length > 0 || logits.includes(last.output);
  return { operations: isRead ? operations : operations.filter((each) => each !== last), outputs: logits };
}

/** Whether a layer is this activation. */
export function isActivation(layer: Layer | undefined, name: ActivationName): boolean {
  return layer?.kind === 'activation' && layer.activation === name && layer.axis === undefined;
}

/** The operations that read a value. */
export const readersOf = (
  operations: readonly PlannedOperation[],
  value: string,
): readonly PlannedOperation[] => operations.filter(({ inputs }) => inputs.includes(value));

function withoutActivations(description: ModelDescription): OperationPlan {
  // Identity gives what it is given.
  const same = new Map<string, string>();
  const nameOf = (value: string) => same.get(value) ?? value;
  const operations = description.calls.flatMap((call): readonly PlannedOperation[] => {
    const layer = layerOfCall(description, call);
    const { training }: NamedLayer = layer;
    const { activity } = training ?? {};
    // Its penalty is on what a layer gives out, its activation included.
    const output = activity === undefined ? call.output : `${call.output} before its penalty`;
    const penalty = activity === undefined ? [] : [penaltyOn(output, { call, activity })];
    const inputs = call.inputs.map(nameOf);
    if (isActivation(layer, 'linear')) {
      same.set(output, inputs[0] as string);
      return [];
    }
    const activationOf = moduleOf(layer).asActivation?.(layer);
    if (activationOf !== undefined)
      return [
        { layer: { kind: 'activation', name: layer.name, activation: activationOf }, inputs, output },
        ...penalty,
      ];
    const apart = moduleOf(layer).apart?.(layer) ?? ownActivation(layer);
    if (apart === undefined) return [{ layer, inputs, output }, ...penalty];
    const { name } = layer;
    const activation = apart.activation as ActivationName;
    const before = `${output} before ${activation}`;
    return [
      { layer: apart.layer as Layer, inputs, output: before },
      {
        layer: { kind: 'activation', name: `${name}/${activation}`, activation },
        inputs: [before],
        output,
      },
      ...penalty,
    ];
  });
  return { operations, outputs: description.outputs.map(nameOf) };
}

/** A layer and the activation of its settings apart. */
function ownActivation(layer: Layer) {
  if (layer.kind === 'activation' || !('activation' in layer) || layer.activation === 'linear')
    return undefined;
  const plain: Layer = { ...layer, activation: 'linear' };
  return { layer: plain, activation: layer.activation };
}

/** The operation that adds an activity regularizer to the loss. */
function penaltyOn(
  input: string,
  { call, activity }: { readonly call: LayerCall; readonly activity: Penalty },
): PlannedOperation {
  const { layer: name, output } = call;
  return {
    layer: { kind: 'activityPenalty', name: `${name}/activity`, ...activity },
    inputs: [input],
    output,
  };
}

/** max(relu(z)) = relu(max(z)), with a quarter of the elements behind a 2×2 pool; gradients agree too. */
function poolBeforeRelu({ operations, outputs }: OperationPlan): OperationPlan {
  const result = [...operations];
  for (let at = 0; at < result.length; at++) {
    const relu = result[at] as PlannedOperation;
    const readers = readersOf(result, relu.output);
    const [pool] = readers;
    if (!isActivation(relu.layer, 'relu') || outputs.includes(relu.output)) continue;
    if (pool === undefined || readers.length > 1 || !moduleOf(pool.layer).commutesWithRelu) continue;
    const { output } = pool;
    const pooled = `${output} before relu`;
    result.splice(result.indexOf(pool), 1, { ...relu, inputs: [pooled], output });
    result.splice(at, 1, { ...pool, inputs: relu.inputs, output: pooled });
  }
  return { operations: result, outputs };
}

/** Two dropouts with nothing but a Flatten between keep an element with the product of their probabilities. */
function mergeLayers({ operations, outputs }: OperationPlan): OperationPlan {
  let result: PlannedOperation[] = [];
  for (const operation of operations) {
    const { merge } = moduleOf(operation.layer);
    const earlier = merge && earlierToMerge(operation, { operations, result, outputs });
    if (merge === undefined || earlier === undefined) {
      result.push(operation);
      continue;
    }
    const [through = ''] = earlier.inputs;
    result = result
      .filter((each) => each !== earlier)
      .map((each) => ({
        ...each,
        inputs: each.inputs.map((value) => (value === earlier.output ? through : value)),
      }));
    const inputs = operation.inputs.map((value) => (value === earlier.output ? through : value));
    result.push({ ...operation, inputs, layer: merge(earlier.layer, operation.layer) as Layer });
  }
  return { operations: result, outputs };
}

/** The operation of the same kind, before reshapes alone, whose output nothing else reads. */
function earlierToMerge(
  { layer, inputs: [value] }: PlannedOperation,
  around: OperationPlan & { readonly result: readonly PlannedOperation[] },
): PlannedOperation | undefined {
  const { operations, result, outputs } = around;
  const before = result.find(({ output }) => output === value);
  if (before === undefined || outputs.includes(before.output)) return undefined;
  if (readersOf(operations, before.output).length > 1) return undefined;
  if (before.layer.kind === layer.kind) return before;
  return moduleOf(before.layer).onlyReshapes ? earlierToMerge({ ...before, layer }, around) : undefined;
}

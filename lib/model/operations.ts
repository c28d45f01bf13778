/** A model as the plain operations that an engine compiles, with rewrites that change speed but not results. */
import type { ActivationName } from './layers/activation.js';
import { type Layer, moduleOf } from './layers/registry.js';
import type { ModelDescription } from './model-description.js';

/** The operations of a model: activations stand by themselves, and cheap things come after size is reduced. */
export function planOperations(description: ModelDescription): readonly Layer[] {
  return mergeLayers(poolBeforeRelu(description.layers.flatMap(withoutActivation)));
}

/** The operations before a final activation; undefined where a model ends in another one, or in none. */
export function operationsBefore(
  operations: readonly Layer[],
  activation: ActivationName,
): readonly Layer[] | undefined {
  return isActivation(operations.at(-1), activation) ? operations.slice(0, -1) : undefined;
}

/** Whether an operation is this activation. */
export function isActivation(layer: Layer | undefined, name: ActivationName): boolean {
  return layer?.kind === 'activation' && layer.activation === name;
}

function withoutActivation(layer: Layer): readonly Layer[] {
  if (isActivation(layer, 'linear')) return [];
  if (layer.kind === 'activation' || !('activation' in layer) || layer.activation === 'linear')
    return [layer];
  const { name, activation } = layer;
  return [
    { ...layer, activation: 'linear' },
    { kind: 'activation', name: `${name}/${activation}`, activation },
  ];
}

/** max(relu(z)) = relu(max(z)), with a quarter of the elements behind a 2×2 pool; gradients agree too. */
function poolBeforeRelu(layers: readonly Layer[]): readonly Layer[] {
  const result = [...layers];
  for (let at = 0; at + 1 < result.length; at++) {
    const [first, second] = [result[at] as Layer, result[at + 1] as Layer];
    if (isActivation(first, 'relu') && moduleOf(second).commutesWithRelu) {
      result.splice(at, 2, second, first);
    }
  }
  return result;
}

/** Two dropouts with nothing but a Flatten between keep an element with the product of their probabilities. */
function mergeLayers(layers: readonly Layer[]): readonly Layer[] {
  const result: Layer[] = [];
  for (const layer of layers) {
    const before = result.findLastIndex((each) => !moduleOf(each).onlyReshapes);
    const earlier = result[before];
    const { merge } = moduleOf(layer);
    if (merge !== undefined && earlier?.kind === layer.kind) {
      result.splice(before, 1);
      result.push(merge(earlier, layer) as Layer);
    } else {
      result.push(layer);
    }
  }
  return result;
}

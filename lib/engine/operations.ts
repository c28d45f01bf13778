/** A model as the plain operations that an engine compiles, with rewrites that change speed but not results. */
import type { Activation, ActivationLayer, Layer, ModelDescription } from '../model/model-description.js';

/** The operations of a model: activations stand by themselves, and cheap things come after size is reduced. */
export function planOperations(description: ModelDescription): readonly Layer[] {
  return mergeDropouts(poolBeforeRelu(description.layers.flatMap(withoutActivation)));
}

/**
 * The operations before the final softmax: training wants logits.
 * @returns undefined when the model does not end in a softmax
 */
export function logitOperations(operations: readonly Layer[]): readonly Layer[] | undefined {
  const last = operations.at(-1);
  return last?.kind === 'activation' && last.activation === 'softmax' ? operations.slice(0, -1) : undefined;
}

function withoutActivation(layer: Layer): readonly Layer[] {
  if (layer.kind === 'activation') return layer.activation === 'linear' ? [] : [layer];
  if ((layer.kind !== 'conv2d' && layer.kind !== 'dense') || layer.activation === 'linear') return [layer];
  return [{ ...layer, activation: 'linear' }, activationLayer(layer.name, layer.activation)];
}

function activationLayer(owner: string, activation: Activation): ActivationLayer {
  return { kind: 'activation', name: `${owner}/${activation}`, activation };
}

/** max(relu(z)) = relu(max(z)), with a quarter of the elements behind a 2×2 pool; gradients agree too. */
function poolBeforeRelu(layers: readonly Layer[]): readonly Layer[] {
  const result = [...layers];
  for (let at = 0; at + 1 < result.length; at++) {
    const [first, second] = [result[at] as Layer, result[at + 1] as Layer];
    if (first.kind === 'activation' && first.activation === 'relu' && second.kind === 'maxPooling2d') {
      result.splice(at, 2, second, first);
    }
  }
  return result;
}

/** Two dropouts with nothing but a Flatten between keep an element with the product of their probabilities. */
function mergeDropouts(layers: readonly Layer[]): readonly Layer[] {
  const result: Layer[] = [];
  for (const layer of layers) {
    const before = result.findLastIndex((each) => each.kind !== 'flatten');
    const earlier = result[before];
    if (layer.kind === 'dropout' && earlier?.kind === 'dropout') {
      result.splice(before, 1);
      result.push({ ...layer, rate: 1 - (1 - earlier.rate) * (1 - layer.rate) });
    } else {
      result.push(layer);
    }
  }
  return result;
}

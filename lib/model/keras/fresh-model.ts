/** A model of an architecture in Keras' JSON, with weights that a seed draws as its initializers say. */

import { inFile } from '../../core/errors.js';
import type { Initializer } from '../initializers.js';
import type { Model } from '../model-description.js';
import { initialWeights } from '../parameters.js';
import { readKerasGraph } from './keras-graph.js';
import { readInitializer } from './keras-initializers.js';
import { describeKerasConfig, modelFromKeras } from './keras-model.js';

/**
 * The model with fresh weights; arrays whose initializer is not known here begin as in a model of ours.
 *
 * @param path what errors call the file
 * @throws {DataError} for an architecture that cannot be trained here
 */
export function freshModelFromKeras(
  modelConfig: unknown,
  {
    path,
    seed,
    kerasVersion,
  }: { readonly path: string; readonly seed: number; readonly kerasVersion: string },
): Model {
  try {
    const description = describeKerasConfig(modelConfig, { kerasVersion });
    const { layers } = readKerasGraph(modelConfig);
    const configs = new Map(description.layers.map(({ name }, at) => [name, layers[at]?.config ?? {}]));
    const initializer = (layer: string, role: string): Initializer | undefined => {
      const config = configs.get(layer) ?? {};
      // The layer's own way: ones for the gate that forgets, zeros for the others.
      if (role === 'bias' && config.unit_forget_bias === true) return undefined;
      const [key] = KEYS.map((make) => make(role)).filter((name) => Object.hasOwn(config, name));
      return key === undefined ? undefined : readInitializer(config[key]);
    };
    const weights = initialWeights(description, seed, initializer);
    return modelFromKeras({ modelConfig, weights, kerasVersion }, path, { forTraining: true });
  } catch (error) {
    throw inFile(error, path);
  }
}

/** What Keras calls the initializer of a parameter: `kernel_initializer`, but `recurrent_initializer` of `recurrent_kernel`; in Keras 1 `init`. */
const KEYS: readonly ((role: string) => string)[] = [
  (role) => `${role}_initializer`,
  (role) => `${role.replace(/_kernel$/, '')}_initializer`,
  (role) => (role === 'kernel' ? 'init' : ''),
];

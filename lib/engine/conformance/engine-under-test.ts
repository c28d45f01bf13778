/** An engine under test, and what its tests share. */
import * as tf from '@tensorflow/tfjs';
import { kerasLayer } from '../../model/keras/keras-layers.js';
import type { NamedLayer } from '../../model/layers/layer-module.js';
import { moduleOf } from '../../model/layers/registry.js';
import type { ModelDescription } from '../../model/model-description.js';
import { type Engine, EngineUnavailableError } from '../engine.js';
import { TENSORFLOW_CLASSES } from '../tensorflow/known-layers.js';

/** An engine under test. */
export interface EngineUnderTest {
  readonly load: () => Promise<Engine>;
  /** Why it cannot run here, to skip its tests. */
  readonly skip?: string | false | undefined;
  /** What it says of a model that it does not train; undefined where it trains it, as every engine does without this. */
  readonly refusal?: ((description: ModelDescription) => RegExp | undefined) | undefined;
  /** Things that the engine keeps, where it counts them: must not grow over steps, and go with their session. */
  readonly count?: () => Readonly<Record<string, number>>;
  /** How much the whole process may grow over the watched steps, where a driver keeps memory of its own for a while. */
  readonly growthMb?: number;
  /** Largest relative difference of forward passes and gradients. */
  readonly tolerance?: number;
}

/** An engine while its tests run. */
export interface EngineSuite
  extends Required<Pick<EngineUnderTest, 'growthMb' | 'tolerance'>>,
    Pick<EngineUnderTest, 'refusal'> {
  /** Once it is loaded. */
  engine(): Engine;
  readonly count: EngineUnderTest['count'];
}

/** TensorFlow.js refuses the layers that it has not, and what their modules say of it. */
export function tensorflowRefusal({ layers }: ModelDescription): RegExp | undefined {
  for (const layer of layers) {
    const { notInTensorflow, notTrainedByTensorflow, mixesExamples } = moduleOf(layer);
    const { name, training }: NamedLayer = layer;
    const isKnown = TENSORFLOW_CLASSES.has(kerasLayer(layer).class_name);
    const isFixed = training?.isFrozen === true && mixesExamples === true;
    const lacking =
      (isKnown ? undefined : 'such layer') ??
      notInTensorflow?.(layer) ??
      notTrainedByTensorflow?.(layer) ??
      (isFixed ? 'trainable: false of a normalization' : undefined) ??
      (training?.activity === undefined ? undefined : 'activity_regularizer');
    if (lacking !== undefined)
      return new RegExp(`^layer ${name}( \\(\\w+\\))?: TensorFlow\\.js has no ${lacking}$`);
  }
  return undefined;
}

/** Why `load` finds no engine here, or false where it finds one; other failures are thrown. */
export async function reasonNotLoaded(load: () => Promise<Engine>): Promise<string | false> {
  try {
    await load();
    return false;
  } catch (error) {
    if (error instanceof EngineUnavailableError) return error.message;
    throw error;
  }
}

/** Tensors and bytes that are alive now. */
export function countTensors(): Readonly<Record<string, number>> {
  const { numTensors, numBytes } = tf.memory();
  return { numTensors, numBytes };
}

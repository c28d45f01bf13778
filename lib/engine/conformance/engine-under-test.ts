/** An engine under test, and what its tests share. */
import * as tf from '@tensorflow/tfjs';
import { type Engine, EngineUnavailableError } from '../engine.js';

/** An engine under test. */
export interface EngineUnderTest {
  readonly load: () => Promise<Engine>;
  /** Why it cannot run here, to skip its tests. */
  readonly skip?: string | false | undefined;
  /** Classes of Keras that it does not have, and refuses by name. */
  readonly lacks?: readonly string[];
  /** Things that the engine keeps, where it counts them: must not grow over steps, and go with their session. */
  readonly count?: () => Readonly<Record<string, number>>;
  /** How much the whole process may grow over the watched steps, where a driver keeps memory of its own for a while. */
  readonly growthMb?: number;
  /** Largest relative difference of forward passes and gradients. */
  readonly tolerance?: number;
}

/** An engine while its tests run. */
export interface EngineSuite extends Required<Pick<EngineUnderTest, 'growthMb' | 'tolerance' | 'lacks'>> {
  /** Once it is loaded. */
  engine(): Engine;
  readonly count: EngineUnderTest['count'];
}

/** What TensorFlow.js lacks. */
export const TENSORFLOW_LACKS = [
  'activity regularizers',
  'a frozen batch normalization',
  'GroupNormalization',
] as const;

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

/** Keras' Normalization for TensorFlow.js, which has no such layer: by a mean and variance that stand in its config. */
import type * as Tf from '@tensorflow/tfjs';

/** What of the config counts. */
type Config = ConstructorParameters<typeof Tf.layers.Layer>[0] & {
  readonly mean?: readonly number[] | null;
  readonly variance?: readonly number[] | null;
  readonly invert?: boolean;
};

type Shape = ReturnType<Tf.layers.Layer['computeOutputShape']>;

/** Least deviation that anything is divided by, as in Keras. */
const LEAST_DEVIATION = 1e-7;

/** Makes the class known to the library, under the name that Keras gives it. */
export function registerNormalization(tf: typeof Tf): void {
  class Normalization extends tf.layers.Layer {
    static readonly className = 'Normalization';
    readonly #mean: readonly number[];
    readonly #deviation: readonly number[];
    readonly #invert: boolean;

    constructor(config: Config) {
      super(config);
      const { mean, variance, invert = false } = config;
      this.#invert = invert;
      this.#mean = mean ?? [0];
      this.#deviation = (variance ?? [1]).map((each) => Math.max(Math.sqrt(each), LEAST_DEVIATION));
    }

    override call(inputs: Tf.Tensor | Tf.Tensor[]): Tf.Tensor {
      return tf.tidy(() => {
        const [x] = [inputs].flat() as [Tf.Tensor];
        const [mean, deviation] = [tf.tensor1d([...this.#mean]), tf.tensor1d([...this.#deviation])];
        return this.#invert ? x.mul(deviation).add(mean) : x.sub(mean).div(deviation);
      });
    }

    override computeOutputShape(inputShape: Shape): Shape {
      return inputShape;
    }
  }
  tf.serialization.registerClass(Normalization);
}

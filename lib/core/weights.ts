/** A model's weights as plain arrays: what clients report and the server averages, and arrays that threads share. */

/** One named parameter array, row-major. */
export interface WeightArray {
  /** Unique in its model, as Keras names it, e.g. `conv2d/kernel:0`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major; length is the product of `shape`. */
  readonly values: Float32Array;
}

/** A model's arrays in the order in which its layers declare them. */
export type Weights = readonly WeightArray[];

/** Number of elements of an array of `shape` (1 for a scalar). */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Number of parameters of a model. */
export function parameterCount(weights: Weights): number {
  return weights.reduce((count, { shape }) => count + sizeOf(shape), 0);
}

/** Writes a shape the way error messages show it, e.g. `[28,28,1]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}

/** Whether an array holds the moving statistics of BatchNormalization, which no gradient moves. */
export function isStatistic(name: string): boolean {
  return /\/moving_(mean|variance)(:\d+)?$/.test(name);
}

/** Whether an array holds variances, which are never below zero. */
export function isVariance(name: string): boolean {
  return /\/moving_variance(:\d+)?$/.test(name);
}

/** A copy of weights in shared memory. */
export function shareWeights(weights: Weights): Weights {
  return weights.map((array) => ({ ...array, values: copyToShared(array.values, Float32Array) }));
}

/** Numbers in any of the types that examples and weights have. */
type NumberArray = Uint8Array | Int32Array | Float32Array | Float64Array;

/** `values` itself where it is in shared memory already, else a copy there. */
export function shareArray<A extends NumberArray>(values: A): A {
  const View = values.constructor as new (buffer: SharedArrayBuffer) => A;
  return values.buffer instanceof SharedArrayBuffer ? values : copyToShared(values, View);
}

function copyToShared<A extends NumberArray>(values: A, View: new (buffer: SharedArrayBuffer) => A): A {
  const shared = new View(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}

/** The memory of weights, for a message that hands it to another thread; what threads share stays shared. */
export function weightBuffers(weights: Weights): readonly ArrayBuffer[] {
  const buffers = weights.map(({ values }) => values.buffer);
  return [...new Set(buffers)].filter((each): each is ArrayBuffer => each instanceof ArrayBuffer);
}

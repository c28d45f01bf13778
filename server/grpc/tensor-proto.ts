/** Tensors of TensorFlow's protocol: their bytes or lists of values to model inputs, probabilities back to a tensor. */
import { type ImageBatch, imagesFromBytes, imagesFromNumbers, type NumberTypeName } from '../api/images.js';
import type { ModelCard } from '../predictor.js';
import { HttpProblem } from '../problems.js';
import type { TensorProto } from './messages.js';

/** `DT_FLOAT` of tensorflow/core/framework/types.proto. */
export const DT_FLOAT = 1;

type ValueField = Exclude<keyof TensorProto, 'dtype' | 'tensor_shape' | 'tensor_content'>;

/** Types of TensorFlow by their number: what they are here, and where their values are if not in `tensor_content`. */
const TYPES: Readonly<Record<number, readonly [type: NumberTypeName, field: ValueField]>> = {
  1: ['FP32', 'float_val'],
  2: ['FP64', 'double_val'],
  3: ['INT32', 'int_val'],
  4: ['UINT8', 'int_val'],
  5: ['INT16', 'int_val'],
  6: ['INT8', 'int_val'],
  9: ['INT64', 'int64_val'],
  17: ['UINT16', 'int_val'],
  22: ['UINT32', 'uint32_val'],
  23: ['UINT64', 'uint64_val'],
};

/** Model inputs out of a tensor. @throws {HttpProblem} 400 where type, shape or length do not fit */
export function imagesFromTensor(tensor: TensorProto, card: Pick<ModelCard, 'inputShape'>): ImageBatch {
  const found = TYPES[tensor.dtype ?? 0];
  if (found === undefined)
    throw new HttpProblem(
      400,
      `Expected a tensor of numbers such as DT_FLOAT or DT_UINT8, found type ${tensor.dtype ?? 0}.`,
    );
  const [type, field] = found;
  const shape = (tensor.tensor_shape?.dim ?? []).map(({ size = 0 }) => size);
  const content = tensor.tensor_content ?? new Uint8Array(0);
  if (content.length > 0) return imagesFromBytes(content, { type, shape }, card);
  return imagesFromNumbers(tensor[field] ?? [], { type, shape, repeatsLast: true }, card);
}

/** `[count, classes]` as a tensor, its values in `float_val`, where every client looks. */
export function probabilitiesTensor(probabilities: Float32Array, count: number): TensorProto {
  return {
    dtype: DT_FLOAT,
    tensor_shape: { dim: [{ size: count }, { size: probabilities.length / count }] },
    float_val: Array.from(probabilities),
  };
}

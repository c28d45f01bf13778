/** Messages of TensorFlow Serving's `Predict` (gRPC): their bytes to tensors, numbers to the bytes of an answer. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { bad, HttpProblem } from '../../lib/http/problems.js';
import {
  type PredictRequest,
  type PredictResponse,
  serviceDefinition,
  type TensorProto,
} from '../grpc/messages.js';
import { type Answers, columnsOf } from './answers.js';
import { MOST_DIMENSIONS } from './number-lists.js';
import {
  type NamedTensors,
  type NumberTypeName,
  type RequestTensor,
  tensorFromBytes,
  tensorFromNumbers,
  tensorFromTexts,
} from './tensor.js';
import { requireSignature } from './tensorflow-json.js';

/** `DT_FLOAT`, `DT_INT32` and `DT_STRING` of tensorflow/core/framework/types.proto. */
export const [DT_FLOAT, DT_INT32, DT_STRING] = [1, 3, 7];

type ValueField = Exclude<keyof TensorProto, 'dtype' | 'tensor_shape' | 'tensor_content' | 'string_val'>;

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

/** A request of `Predict` without what was checked already. */
interface PredictMessage extends Pick<PredictRequest, 'model_spec' | 'output_filter'> {
  readonly tensors: NamedTensors;
}

const predict = () => serviceDefinition('tensorflow.serving.PredictionService').Predict;

/** Reads a message. @throws {HttpProblem} 400 */
export function readPredictMessage({ message }: { readonly message: Uint8Array }): PredictMessage {
  const { model_spec = {}, inputs = {}, output_filter = [] } = decoded(message);
  requireSignature(model_spec.signature_name);
  const tensors = Object.entries(inputs).map(([name, tensor]) => [name, tensorOf(tensor)] as const);
  if (tensors.length === 0) throw bad('one input', '0');
  return { model_spec, output_filter, tensors: Object.fromEntries(tensors) };
}

/** Texts, bytes and messages in one message: beside spec and tensor there are a few inputs, outputs and dimensions. */
const MAX_FIELDS = 64;
/** Of texts that may be names of categories there are as many as examples. */
const MAX_TEXTS = 100_000;
const [STRING_VAL, TENSOR_DEPTH] = [8, 2];

/** Looks through a message before anything is made of it: seven million empty dimensions fit into 16 MB. */
function requireFewFields(message: Uint8Array, depth = 0): void {
  const reader = new BinaryReader(message);
  let [fields, texts] = [0, 0];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, field);
      continue;
    }
    if (field === STRING_VAL && depth === TENSOR_DEPTH) {
      if (++texts > MAX_TEXTS) throw bad(`at most ${MAX_TEXTS} texts in a tensor`, 'more');
    } else if (++fields > MAX_FIELDS) throw bad(`at most ${MAX_FIELDS} fields in a message`, 'more');
    const content = reader.bytes();
    // Field 1 of the request is its spec; field 2 leads from the request to its input, the tensor, and the tensor's shape.
    if ((field === 1 && depth === 0) || (field === 2 && depth < 3)) requireFewFields(content, depth + 1);
  }
}

function decoded(message: Uint8Array): PredictRequest {
  try {
    requireFewFields(message);
    return predict()?.requestDeserialize(asBuffer(message)) as PredictRequest;
  } catch (cause) {
    if (cause instanceof HttpProblem) throw cause;
    throw new HttpProblem(400, 'Expected a PredictRequest, found bytes that are none.', { cause });
  }
}

function tensorOf({
  dtype = 0,
  tensor_shape,
  tensor_content,
  string_val = [],
  ...values
}: TensorProto): RequestTensor {
  const dimensions = tensor_shape?.dim ?? [];
  if (dimensions.length > MOST_DIMENSIONS)
    throw bad(`at most ${MOST_DIMENSIONS} dimensions`, String(dimensions.length));
  const shape = dimensions.map(({ size = 0 }) => size);
  if (dtype === DT_STRING)
    return tensorFromTexts(
      string_val.map((bytes) => asBuffer(bytes).toString('utf8')),
      shape,
    );
  const found = TYPES[dtype];
  if (found === undefined) throw bad('a tensor of numbers such as DT_FLOAT or DT_UINT8', `type ${dtype}`);
  const [type, field] = found;
  if (tensor_content !== undefined && tensor_content.length > 0)
    return tensorFromBytes(tensor_content, { type, shape });
  return tensorFromNumbers(values[field] ?? [], { type, shape, repeatsLast: true });
}

/** Writes the answer: values in `float_val`, where every client looks. */
export function writePredictAnswer({
  spec,
  ...given
}: Answers & { readonly spec: PredictResponse['model_spec'] }): Uint8Array {
  const tensors = given.outputs.map((output) => {
    const dim = [given.count, ...output.shape].map((size) => ({ size }));
    const tensor: TensorProto = {
      dtype: DT_FLOAT,
      tensor_shape: { dim },
      float_val: Array.from(columnsOf(given, output)),
    };
    return [output.name, tensor] as const;
  });
  const answer = {
    ...(spec === undefined ? {} : { model_spec: spec }),
    outputs: Object.fromEntries(tensors),
  };
  return predict()?.responseSerialize(answer) ?? new Uint8Array(0);
}

/** The same bytes as what protobuf reads. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Messages of gRPC, as they are read and answered below its transport. */
import { createCodecs } from '../../../server/codecs/codecs.js';
import { DT_FLOAT, DT_STRING } from '../../../server/codecs/predict-message.js';
import { serviceDefinition } from '../../../server/grpc/messages.js';
import { answerPredict } from '../../../server/grpc/prediction-service.js';
import { singleModel } from '../../../server/models/served-models.js';
import { oneOf, protobufFields, wordsOf } from '../reshape.js';
import type { MakeTarget } from '../target.js';
import { OF_A_TABLE, predictorOf } from './serving.js';

/** Messages of `Predict`. */
export const grpc: MakeTarget = async () => {
  const { Predict } = serviceDefinition('tensorflow.serving.PredictionService');
  const shape = (...sizes: readonly number[]) => ({ dim: sizes.map((size) => ({ size })) });
  const message = (given: object, spec: object = {}) =>
    Predict?.requestSerialize({ model_spec: { name: 'model', ...spec }, inputs: given }) ?? new Uint8Array(0);
  const size = { dtype: DT_FLOAT, tensor_shape: shape(1, 2), float_val: [1, 2] };
  const soil = { dtype: DT_STRING, tensor_shape: shape(1, 1), string_val: [Buffer.from('clay')] };
  const parts = { models: singleModel(predictorOf(OF_A_TABLE)), codecs: createCodecs() };
  return {
    seeds: [
      message({ size, soil }),
      message({
        size: { dtype: DT_FLOAT, tensor_shape: shape(1, 2), tensor_content: Buffer.alloc(8) },
        soil,
      }),
      message(
        { size: { dtype: DT_FLOAT, tensor_shape: shape(2, 2), float_val: [1] }, soil },
        { version: { value: 1 } },
      ),
      message({
        size: { dtype: 9, tensor_shape: shape(1, 2), int64_val: [1, 2] },
        soil: { ...size, dtype: 23 },
      }),
    ],
    words: wordsOf(
      'size',
      'soil',
      'model',
      'serving_default',
      'kind',
      '\x12\x00',
      '\x08\x01',
      '\xff\xff\xff\xff\x0f',
      '\x0b',
    ),
    reshape: oneOf(protobufFields),
    async read(bytes) {
      await answerPredict(parts, bytes);
    },
  };
};

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import {
  type Client,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { silentReporter } from '../../lib/observability/events.js';
import { decodeImage } from '../decode-image.js';
import { singleModel } from '../models/served-models.js';
import { OPEN_ACCESS } from '../operations/access.js';
import { preprocess } from '../preprocess.js';
import { digitPng } from '../testing/segment-digits.js';
import { type ServedApp, serveApp } from '../testing/served-app.js';
import { type RunningGrpcServer, startGrpc } from './grpc-server.js';
import { type PredictResponse, serviceDefinition, type TensorProto } from './messages.js';

describe("TensorFlow Serving's gRPC API", () => {
  let app: ServedApp;
  let server: RunningGrpcServer;
  let values: Float32Array;
  const clients: Client[] = [];
  before(async () => {
    app = await serveApp();
    server = await listenWith(OPEN_ACCESS);
    ({ values } = preprocess(await decodeImage(await digitPng(7)), [28, 28, 1]));
  });
  after(async () => {
    for (const client of clients) client.close();
    await server.close();
    await app.close();
  });

  function listenWith(access: typeof OPEN_ACCESS) {
    const models = singleModel(app.predictor, 'digits');
    return startGrpc({ models, access, reporter: silentReporter }, { host: '127.0.0.1', port: 0 });
  }

  /** Calls a method with the message given, by a client of its own. */
  function call<Answer>(
    service: string,
    method: string,
    {
      message,
      metadata = new Metadata(),
      at = server,
    }: { message: object; metadata?: Metadata; at?: RunningGrpcServer },
  ): Promise<Answer> {
    const Service = makeClientConstructor(serviceDefinition(service), service);
    const client = new Service(at.address, credentials.createInsecure());
    clients.push(client);
    return new Promise((resolve, reject) => {
      const method_ = client[method] as unknown as (
        message: object,
        metadata: Metadata,
        done: (error: ServiceError | null, answer: Answer) => void,
      ) => void;
      method_.call(client, message, metadata, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  const spec = { name: 'digits', signature_name: 'serving_default' };
  const shape = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size })) });
  const predict = (tensor: TensorProto, model_spec: object = spec) =>
    call<PredictResponse>('tensorflow.serving.PredictionService', 'Predict', {
      message: { model_spec, inputs: { flatten_input: tensor } },
    });
  const digitOf = ({ outputs = {} }: PredictResponse) => {
    const row = outputs.dense?.float_val ?? [];
    return row.indexOf(Math.max(...row));
  };
  const code = (expected: status, sentence: RegExp) => (error: ServiceError) => {
    assert.equal(error.code, expected, error.message);
    assert.match(error.details, sentence);
    return true;
  };

  it('predicts from bytes and from values of every type', async () => {
    const levels = Array.from(values, (value) => Math.round(value * 255));
    const tensors: readonly TensorProto[] = [
      { dtype: 1, tensor_content: Buffer.from(values.buffer) },
      { dtype: 1, float_val: [...values] },
      { dtype: 2, double_val: [...values] },
      { dtype: 3, int_val: levels },
      { dtype: 4, int_val: levels },
      { dtype: 4, tensor_content: Buffer.from(levels) },
      { dtype: 9, int64_val: levels },
      { dtype: 9, tensor_content: Buffer.from(BigInt64Array.from(levels, BigInt).buffer) },
    ];
    for (const tensor of tensors) {
      const answer = await predict({ ...tensor, tensor_shape: shape(1, 28, 28, 1) });
      assert.equal(digitOf(answer), 7, `type ${tensor.dtype}`);
      assert.deepEqual(answer.outputs?.dense?.tensor_shape?.dim, [{ size: 1 }, { size: 10 }]);
      assert.deepEqual(answer.model_spec, { ...spec, version: { value: 1 } });
    }
  });

  it('answers the bytes that the Python client of TensorFlow Serving sent', async () => {
    const at = new URL('../../../server/grpc/fixtures/', import.meta.url);
    const Service = makeClientConstructor(serviceDefinition('tensorflow.serving.PredictionService'), 'raw');
    const client = new Service(server.address, credentials.createInsecure());
    clients.push(client);
    for (const name of ['float-content', 'uint8-content', 'float-values']) {
      const bytes = await readFile(new URL(`predict-${name}.bin`, at));
      const answer = await new Promise<Buffer>((resolve, reject) => {
        client.makeUnaryRequest(
          '/tensorflow.serving.PredictionService/Predict',
          (raw: Buffer) => raw,
          (raw: Buffer) => raw,
          bytes,
          (error, raw) => (error === null && raw !== undefined ? resolve(raw) : reject(error)),
        );
      });
      const { Predict } = serviceDefinition('tensorflow.serving.PredictionService');
      assert.equal(digitOf(Predict?.responseDeserialize(answer) as PredictResponse), 3, name);
    }
  });

  it('takes one value for all of a tensor, as TensorFlow writes constants', async () => {
    const answer = await predict({ dtype: 1, float_val: [0], tensor_shape: shape(3, 28, 28, 1) });
    assert.equal(answer.outputs?.dense?.float_val?.length, 30);
  });

  it('tells the signature and the status', async () => {
    const metadata = await call<{ metadata: { signature_def: { type_url: string; value: Buffer } } }>(
      'tensorflow.serving.PredictionService',
      'GetModelMetadata',
      { message: { model_spec: spec, metadata_field: ['signature_def'] } },
    );
    const packed = JSON.stringify(metadata.metadata.signature_def);
    assert.match(packed, /tensorflow\.serving\.SignatureDefMap/);
    const state = await call<{ model_version_status: object[] }>(
      'tensorflow.serving.ModelService',
      'GetModelStatus',
      {
        message: { model_spec: { name: 'digits' } },
      },
    );
    assert.deepEqual(state.model_version_status, [
      { version: 1, state: 30, status: { error_code: 0, error_message: '' } },
    ]);
    assert.deepEqual(await call('grpc.health.v1.Health', 'Check', { message: {} }), { status: 1 });
  });

  it('refuses what is wrong with the code that clients look at', async () => {
    const good: TensorProto = { dtype: 1, float_val: [0], tensor_shape: shape(1, 28, 28, 1) };
    await assert.rejects(
      predict(good, { name: 'none' }),
      code(status.NOT_FOUND, /Could not find any versions/),
    );
    await assert.rejects(
      predict(good, { ...spec, version: { value: 9 } }),
      code(status.NOT_FOUND, /version 9/),
    );
    await assert.rejects(
      predict(good, { ...spec, signature_name: 'x' }),
      code(status.INVALID_ARGUMENT, /Serving signature key "x"/),
    );
    for (const [change, sentence] of [
      [{ dtype: 7 }, /tensor of numbers/],
      [{ float_val: [] }, /784 numbers in shape \[1,28,28,1\], found 0/],
      [{ tensor_shape: shape(1, 28, 28, 3) }, /found shape \[1,28,28,3\]/],
      [{ tensor_shape: shape(1e12, 28, 28, 1) }, /at most 16000000 numbers/],
      [{ tensor_content: Buffer.alloc(5) }, /3136 bytes of FP32/],
    ] as const)
      await assert.rejects(predict({ ...good, ...change }), code(status.INVALID_ARGUMENT, sentence));
  });

  it('wants the credentials that the server wants', async () => {
    const guarded = await listenWith({
      ...OPEN_ACCESS,
      isOpen: false,
      allows: (given) => given === 'Bearer abc',
    });
    const status_ = (metadata: Metadata) =>
      call<object>('tensorflow.serving.ModelService', 'GetModelStatus', {
        message: { model_spec: { name: 'digits' } },
        metadata,
        at: guarded,
      });
    try {
      await assert.rejects(status_(new Metadata()), code(status.UNAUTHENTICATED, /Expected credentials/));
      const metadata = new Metadata();
      metadata.set('authorization', 'Bearer abc');
      await status_(metadata);
    } finally {
      for (const client of clients) client.close();
      await guarded.close();
    }
  });
});

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { preprocess } from '../../lib/digits/preprocess.js';
import { type Fields, type Reporter, silentReporter } from '../../lib/observability/events.js';
import { singleModel } from '../models/served-models.js';
import { OPEN_ACCESS } from '../operations/access.js';
import { createRateLimit } from '../operations/guard.js';
import { createMetrics } from '../operations/metrics.js';
import { decodeImage } from '../pictures/decode-image.js';
import { digitPng } from '../testing/segment-digits.js';
import { type ServedApp, serveApp, serveGrpc } from '../testing/served-app.js';
import type { GrpcOptions, RunningGrpcServer } from './grpc-server.js';
import { type PredictResponse, serviceDefinition, type TensorProto } from './messages.js';

describe("TensorFlow Serving's gRPC API", () => {
  let app: ServedApp;
  let server: RunningGrpcServer;
  let values: Float32Array;
  const clients: Client[] = [];
  before(async () => {
    app = await serveApp();
    server = await listenWith();
    ({ values } = preprocess(await decodeImage(await digitPng(7)), [28, 28, 1]));
  });
  after(async () => {
    for (const client of clients) client.close();
    await server.close();
    await app.close();
  });

  const listenWith = (more: Partial<GrpcOptions> = {}) => serveGrpc(app.predictor, more);

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
      [{ dtype: 10 }, /tensor of numbers/],
      [{ dtype: 7 }, /784 texts in shape \[1,28,28,1\], found 0/],
      [
        { dtype: 7, string_val: [Buffer.from('a')], tensor_shape: shape(1) },
        /Expected numbers, found a text/,
      ],
      [{ float_val: [] }, /784 numbers in shape \[1,28,28,1\], found 0/],
      [{ tensor_shape: shape(1, 28, 28, 3) }, /found shape \[1,28,28,3\]/],
      [{ tensor_shape: shape(1e12, 28, 28, 1) }, /at most 16000000 numbers/],
      [{ tensor_content: Buffer.alloc(5) }, /3136 bytes of FP32/],
    ] as const)
      await assert.rejects(predict({ ...good, ...change }), code(status.INVALID_ARGUMENT, sentence));
  });

  it('wants the credentials that the server wants', async () => {
    const allows = (given: string | undefined) => given === 'Bearer abc';
    const guarded = await listenWith({ access: { ...OPEN_ACCESS, isOpen: false, allows } });
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

  it('counts, times and reports calls as requests are', async () => {
    const metrics = createMetrics();
    const told: Fields[] = [];
    const reporter: Reporter = {
      ...silentReporter,
      info: (_message, fields = {}) => void told.push(fields),
    };
    const observed = await listenWith({ metrics, reporter, logsRequests: true, trustedProxies: 1 });
    const ask = (service: string, method: string, message: object, metadata = new Metadata()) =>
      call<object>(service, method, { message, metadata, at: observed });
    const named = new Metadata();
    named.set('x-request-id', 'my-id');
    named.set('x-forwarded-for', '9.9.9.9, 1.2.3.4');
    try {
      await ask(
        'tensorflow.serving.ModelService',
        'GetModelStatus',
        { model_spec: { name: 'digits' } },
        named,
      );
      const failure = await ask('tensorflow.serving.PredictionService', 'Predict', {
        model_spec: spec,
      }).catch((error: ServiceError) => error);
      await ask('grpc.health.v1.Health', 'Check', {});
      const lines = (await metrics.text()).split('\n');
      for (const labels of [
        'route="grpc:GetModelStatus",method="POST",status="200"',
        'route="grpc:Predict",method="POST",status="400"',
        'route="grpc:Check",method="POST",status="200"',
      ])
        assert.ok(lines.includes(`fedbatch_request_duration_seconds_count{${labels}} 1`), labels);
      const [first, second] = told;
      assert.equal(typeof first?.ms, 'number');
      assert.deepEqual(
        { ...first, ms: 0 },
        {
          event: 'request',
          requestId: 'my-id',
          method: 'POST',
          path: '/tensorflow.serving.ModelService/GetModelStatus',
          status: 200,
          ms: 0,
          address: '1.2.3.4',
        },
      );
      assert.ok(failure instanceof Error && 'metadata' in failure);
      assert.deepEqual((failure.metadata as Metadata).get('x-request-id'), [second?.requestId]);
      assert.equal(second?.address, '127.0.0.1');
    } finally {
      for (const client of clients) client.close();
      await observed.close();
    }
  });

  it('counts who goes away before the answer, and reports what is the fault of the server', async () => {
    const metrics = createMetrics();
    const failures: Fields[] = [];
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const predictor = {
      ...app.predictor,
      predict(images: Float32Array) {
        if (images[0] === 1) throw new TypeError('a bug');
        answer();
        return new Promise<Float32Array>(() => undefined);
      },
    };
    const broken = await listenWith({
      metrics,
      models: singleModel(predictor, 'digits'),
      reporter: { ...silentReporter, error: (_message, fields = {}) => void failures.push(fields) },
    });
    const Service = makeClientConstructor(serviceDefinition('tensorflow.serving.PredictionService'), 'x');
    const client = new Service(broken.address, credentials.createInsecure());
    const message = (value: number) => ({
      model_spec: spec,
      inputs: { x: { dtype: 1, float_val: [value], tensor_shape: shape(1, 28, 28, 1) } },
    });
    const predictAnd = (value: number, then: (running: ClientUnaryCall) => void) =>
      new Promise<ServiceError>((resolve) => {
        const method = client.Predict as unknown as (
          message: object,
          done: (error: ServiceError) => void,
        ) => ClientUnaryCall;
        then(method.call(client, message(value), resolve));
      });
    try {
      const bug = await predictAnd(1, () => undefined);
      assert.equal(bug.code, status.INTERNAL);
      assert.match(bug.details, /^Something went wrong in the server/);
      assert.deepEqual(bug.metadata.get('x-request-id'), [failures[0]?.requestId]);
      await predictAnd(0, (running) => void asked.then(() => running.cancel()));
      let text = '';
      for (; !text.includes('status="499"'); await delay(10)) text = await metrics.text();
      assert.match(text, /_count\{route="grpc:Predict",method="POST",status="500"\} 1\n/);
      assert.match(text, /_count\{route="grpc:Predict",method="POST",status="499"\} 1\n/);
    } finally {
      client.close();
      await broken.close();
    }
  });

  it('lets go who never sends a message, and who sends half of one', async () => {
    const strict = await listenWith({ messageTimeoutMs: 300 });
    const session = connect(`http://${strict.address}`);
    try {
      for (const part of [Buffer.alloc(0), Buffer.of(0, 0, 0, 1, 0, 1, 2, 3)]) {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/tensorflow.serving.PredictionService/Predict',
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => undefined).resume();
        stream.write(part);
        const answered = new Promise<unknown>((resolve) => {
          stream
            .once('response', (headers) => resolve(headers['grpc-status']))
            .once('trailers', (trailers) => resolve(trailers['grpc-status']));
        });
        assert.equal(Number(await answered), status.DEADLINE_EXCEEDED);
        stream.close();
      }
    } finally {
      session.close();
      await strict.close();
    }
  });

  it('counts calls and HTTP requests of one client together, but not health checks', async () => {
    const rateLimit = createRateLimit(3);
    const limited = await listenWith({ rateLimit, trustedProxies: 1 });
    const ask = (address: string) => {
      const metadata = new Metadata();
      metadata.set('x-forwarded-for', address);
      const message = { model_spec: { name: 'digits' } };
      return call('tensorflow.serving.ModelService', 'GetModelStatus', { message, metadata, at: limited });
    };
    try {
      await rateLimit.count('1.2.3.4');
      await ask('1.2.3.4');
      await ask('1.2.3.4');
      await assert.rejects(ask('1.2.3.4'), (error: ServiceError) => {
        assert.match(String(error.metadata.get('retry-after')[0]), /^\d+$/);
        return code(status.RESOURCE_EXHAUSTED, /^At most 3 requests a minute/)(error);
      });
      await ask('1.2.3.5');
      for (let check = 0; check < 5; check++)
        await call('grpc.health.v1.Health', 'Check', { message: {}, at: limited });
    } finally {
      rateLimit.close();
      for (const client of clients) client.close();
      await limited.close();
    }
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { preprocess } from '../lib/digits/preprocess.js';
import { type PredictResponse, serviceDefinition, type TensorProto } from './grpc/messages.js';
import { decodeImage } from './pictures/decode-image.js';
import { writePrototypeModel } from './testing/prototype-model.js';
import { digitPng } from './testing/segment-digits.js';
import { type UploadAnswer, upload } from './testing/served-app.js';

const CLI = fileURLToPath(new URL('./cli.js', import.meta.url));
const SERVICE = 'tensorflow.serving.PredictionService';
/** Of each kind of honest request, beside each odd one. */
const HONEST = 3;

const start = (...flags: readonly string[]) => execa(process.execPath, [CLI, ...flags], { reject: false });
const best = (row: readonly number[]) => row.indexOf(Math.max(...row));
const nested = (value: unknown, [extent = 0, ...rest]: readonly number[]): unknown =>
  Array.from({ length: extent }, () => (rest.length === 0 ? value : nested(value, rest)));

/** What a request came to: an HTTP status, or the one that stands for gRPC's; 0 where the connection ended. */
type Ask = () => Promise<number>;

describe('one odd request among others', () => {
  let directory: string;
  let running: ReturnType<typeof start>;
  let url = '';
  let service: InstanceType<ReturnType<typeof makeClientConstructor>>;
  let values: Float32Array;
  let png: Uint8Array;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const model = join(directory, 'model.h5');
    await writePrototypeModel(model);
    png = await digitPng(7);
    ({ values } = preprocess(await decodeImage(png), [28, 28, 1]));
    // A worker that waits for more: what is asked at the same time is predicted together.
    const together = ['--workers', '1', '--batch-timeout', '30', '--max-batch', '64'];
    const ports = ['--port', '0', '--grpc-port', '0', '--name', 'm', '--samples', directory];
    running = start('--model', model, ...ports, ...together);
    for await (const line of createInterface(running.stdout)) {
      url = /^Listening on (http:\S+)$/.exec(line)?.[1] ?? url;
      const address = /^Listening for gRPC on (\S+)$/.exec(line)?.[1];
      if (address === undefined) continue;
      const Service = makeClientConstructor(serviceDefinition(SERVICE), SERVICE);
      service = new Service(address, credentials.createInsecure());
      break;
    }
  });
  after(async () => {
    service.close();
    running.kill('SIGTERM');
    await running;
    await rm(directory, { recursive: true, force: true });
  });

  async function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(url + path, { method: 'POST', body: text });
    return { status: response.status, text: await response.text() };
  }

  function byGrpc(tensor: TensorProto | undefined, name = 'm'): Promise<PredictResponse> {
    const { path, requestSerialize, responseDeserialize } = serviceDefinition(SERVICE).Predict ?? {
      path: '',
      requestSerialize: Buffer.from,
      responseDeserialize: Buffer.from,
    };
    const message = { model_spec: { name }, inputs: tensor === undefined ? {} : { x: tensor } };
    return new Promise((resolve, reject) => {
      service.makeUnaryRequest(
        path,
        requestSerialize,
        (bytes: Buffer) => responseDeserialize(bytes) as PredictResponse,
        message,
        (error: ServiceError | null, answer?: PredictResponse) =>
          answer === undefined ? reject(error) : resolve(answer),
      );
    });
  }

  const image = { dim: [1, 28, 28, 1].map((size) => ({ size })) };
  const seven = () => ({ dtype: 1, tensor_shape: image, float_val: [...values] });
  const v1 = '/v1/models/m:predict';
  const v2 = '/v2/models/m/infer';
  const input = (more: object) => ({
    inputs: [{ name: 'x', shape: [1, 28, 28, 1], datatype: 'FP32', data: [...values], ...more }],
  });

  const honest: readonly (() => Promise<number | null>)[] = [
    async () => {
      const { predictions } = JSON.parse((await post(v1, { instances: [[...values]] })).text);
      return best(predictions[0]);
    },
    async () => best(JSON.parse((await post(v2, input({}))).text).outputs[0].data),
    async () => best((await byGrpc(seven())).outputs?.dense?.float_val ?? []),
    async () => ((await (await upload(url, png)).json()) as UploadAnswer).prediction,
  ];

  const rest =
    (path: string, body: unknown): Ask =>
    async () =>
      (await post(path, body)).status;
  const grpc =
    (tensor: TensorProto | undefined, name?: string): Ask =>
    () =>
      byGrpc(tensor, name).then(
        () => 200,
        ({ code }: ServiceError) =>
          code === status.INVALID_ARGUMENT ? 400 : code === status.NOT_FOUND ? 404 : 500,
      );
  const picture =
    (bytes: Uint8Array): Ask =>
    async () =>
      (await upload(url, bytes)).status;
  const aborted = (text: string, waitMs: number): Ask => {
    return () =>
      new Promise((resolve) => {
        const { hostname, port } = new URL(url);
        const socket = connect(Number(port), hostname, () =>
          socket.write(text, () => setTimeout(() => socket.destroy(), waitMs)),
        );
        socket.on('error', () => undefined).once('close', () => resolve(0));
      });
  };
  /** What is answered to a request whose body never comes. */
  const refused = (head: string): Ask => {
    return () =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(url);
        const socket = connect(Number(port), hostname, () => socket.write(head));
        socket.once('error', reject).once('data', (answer) => {
          resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(answer))?.[1]));
          socket.destroy();
        });
      });
  };
  const raw = (body: string, length = Buffer.byteLength(body)) =>
    `POST ${v1} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${body}`;
  const bytesOf = (value: number) => Buffer.from(Float32Array.from({ length: 784 }, () => value).buffer);
  const whole = () => JSON.stringify({ instances: [[...values]] });

  const odd: Readonly<Record<string, readonly [ask: () => Ask, status: number]>> = {
    'v1: numbers that overflow to NaN': [() => rest(v1, { instances: [nested(1e38, [28, 28])] }), 400],
    'v1: and with the other sign': [() => rest(v1, { instances: [nested(-3e38, [28, 28])] }), 400],
    'v1: one such image of four': [
      () => rest(v1, { instances: [[...values], nested(1e38, [784]), [...values], [...values]] }),
      400,
    ],
    'v1: one such image of two hundred': [
      () => rest(v1, { inputs: [...Array.from({ length: 199 }, () => [...values]), nested(1e38, [784])] }),
      400,
    ],
    'v1: classify': [() => rest('/v1/models/m:classify', { examples: [{ x: nested(1e38, [28, 28]) }] }), 400],
    'v1: numbers above 32 bits': [() => rest(v1, { instances: [nested(1e39, [28, 28])] }), 400],
    'v1: NaN': [() => rest(v1, '{"instances":[[NaN]]}'), 400],
    'v1: nulls': [() => rest(v1, { instances: [nested(null, [28, 28])] }), 400],
    'v1: texts': [() => rest(v1, { instances: [nested('1', [28, 28])] }), 400],
    'v1: another shape': [() => rest(v1, { instances: [nested(0, [28, 84])] }), 400],
    'v1: nothing': [() => rest(v1, ''), 400],
    'v1: no images': [() => rest(v1, { instances: [] }), 400],
    'v1: huge': [() => refused(raw('', 16_000_001)), 413],
    'v1: deep': [() => rest(v1, '['.repeat(100_000)), 400],
    'v1: a thousand images': [
      () => rest(v1, { instances: Array.from({ length: 1_000 }, () => [...values]) }),
      200,
    ],
    'v1: another model': [() => rest('/v1/models/n:predict', { instances: [[...values]] }), 404],
    'v1: gone before its answer': [() => aborted(raw(whole()), 0), 0],
    'v1: gone a little later': [() => aborted(raw(whole()), 15), 0],
    'v1: gone in the middle of its body': [() => aborted(raw(whole(), 1_000_000), 5), 0],
    'v2: numbers that overflow to NaN': [() => rest(v2, input({ data: nested(1e38, [784]) })), 400],
    'v2: another type': [() => rest(v2, input({ datatype: 'BYTES' })), 400],
    'v2: a type that the numbers do not fit': [() => rest(v2, input({ datatype: 'INT8' })), 200],
    'v2: another shape': [() => rest(v2, input({ shape: [1, 1, 784, 1] })), 400],
    'v2: nulls': [() => rest(v2, input({ data: nested(null, [784]) })), 400],
    'gRPC: numbers that overflow to NaN': [
      () => grpc({ dtype: 1, tensor_shape: image, tensor_content: bytesOf(1e38) }),
      400,
    ],
    'gRPC: NaN': [() => grpc({ dtype: 1, tensor_shape: image, tensor_content: bytesOf(Number.NaN) }), 400],
    'gRPC: one number for all': [() => grpc({ dtype: 1, tensor_shape: image, float_val: [1e38] }), 400],
    'gRPC: another type': [() => grpc({ ...seven(), dtype: 7 }), 400],
    'gRPC: no tensor': [() => grpc(undefined), 400],
    'gRPC: another model': [() => grpc(seven(), 'n'), 404],
    'an upload that is no picture': [() => picture(Buffer.from('hello')), 415],
    'an upload of nothing': [() => picture(new Uint8Array(0)), 422],
    'half a picture': [() => picture(png.subarray(0, png.length / 2)), 422],
  };

  for (const [what, [ask, expected]] of Object.entries(odd)) {
    it(`harms nobody else: ${what}`, async () => {
      const others = Array.from({ length: HONEST }, () => honest.map((each) => each())).flat();
      const [found, ...answers] = await Promise.all([ask()(), ...others]);
      assert.deepEqual(answers, new Array(HONEST * honest.length).fill(7));
      assert.equal(found, expected);
    });
  }

  it('leaves a server that counts and is well', async () => {
    const { status: ready } = await fetch(`${url}/readyz`);
    assert.equal(ready, 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /fedbatch_predictions_total\{class="7",model_version="1"\} \d{3}/);
    assert.doesNotMatch(metrics, /status="5\d\d"/);
    assert.match(metrics, /^fedbatch_waiting_images 0$/m);
  });
});

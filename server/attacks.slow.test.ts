import assert from 'node:assert/strict';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { PREDICT_PATH, PREFACE, resetFrames } from '../bench/reset-frames.js';
import { serviceDefinition } from './grpc/messages.js';
import { createRoom } from './held-bytes.js';
import { bodyOf, postText, testLargeBodies } from './testing/large-bodies.js';
import { digitPng } from './testing/segment-digits.js';
import { type ServedApp, serveApp, serveGrpc, upload } from './testing/served-app.js';

const SIZE = 15_000_000;
const IMAGE = JSON.stringify({ instances: [new Array(784).fill(0.5)] });

describe('attacks by large bodies', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  const post = (path: string, body: string) => postText(app.url + path, body);

  testLargeBodies(() => app, { sizeBytes: SIZE / 5, mostGrowth: 300 * 2 ** 20 });

  it('answers probes, metrics, small predictions and uploads before large bodies that were there first', async () => {
    const heavy = bodyOf(SIZE / 5, { begin: '{"instances":[[', part: '0,', end: '0]]}' });
    const done: string[] = [];
    const attacks = Array.from({ length: 8 }, async () => {
      const { status: code } = await post('/v1/models/model:predict', heavy);
      done.push('attack');
      return code;
    });
    // The first of them is being read, or has been.
    await Promise.race(attacks);
    const png = await digitPng(7);
    for (const path of ['/healthz', '/readyz', '/v2/health/ready', '/metrics'])
      assert.equal((await fetch(app.url + path)).status, 200, path);
    assert.equal((await post('/v1/models/model:predict', IMAGE)).status, 200);
    assert.equal((await upload(app.url, png)).status, 200);
    done.push('honest');
    assert.deepEqual(new Set(await Promise.all(attacks)), new Set([400]));
    assert.ok(done.indexOf('honest') < done.length - 1, done.join(' '));
  });

  it('answers large requests of honest clients, thousands of images in one', async () => {
    const count = 3_000;
    const instances = Array.from({ length: count }, () => new Array(784).fill(0));
    const { status: code, text } = await post('/v1/models/model:predict', JSON.stringify({ instances }));
    assert.equal(code, 200, text.slice(0, 200));
    const { predictions } = JSON.parse(text) as { predictions: number[][] };
    assert.equal(predictions.length, count);
    assert.ok(predictions.every((row) => row.length === 10));
  });

  it('lets large bodies wait for room, and answers all of them', async () => {
    // There is room for one at a time, which takes a busy machine a small part of the time that the others may wait.
    const limited = await serveApp({ limits: { maxBodyBytes: 200_000, maxHeldBytes: 300_000 } });
    try {
      const body = `${' '.repeat(100_000)}${IMAGE}`;
      const codes = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const url = `${limited.url}/v1/models/model:predict`;
          return (await fetch(url, { method: 'POST', body })).status;
        }),
      );
      assert.deepEqual(new Set(codes), new Set([200]));
    } finally {
      await limited.close();
    }
  });

  it('refuses what does not say how long it is once there is no room for it', async () => {
    const limited = await serveApp({ limits: { maxBodyBytes: 2_000_000, maxHeldBytes: 300_000 } });
    const send = async (bytes: number) => {
      const body = new Blob([' '.repeat(bytes), IMAGE]).stream();
      const options = { method: 'POST', body, duplex: 'half' } as const;
      return (await fetch(`${limited.url}/v1/models/model:predict`, options)).status;
    };
    try {
      assert.equal(await send(500_000), 503);
      assert.equal(await send(100_000), 200);
    } finally {
      await limited.close();
    }
  });
});

describe('attacks by bodies as large as a server takes them', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  testLargeBodies(() => app, { sizeBytes: SIZE, mostGrowth: 600 * 2 ** 20 });
});

describe('attacks by calls of gRPC that are taken back', () => {
  /** All that a connection sends, until the server has ended it. */
  const flood = (address: string, code: number) =>
    new Promise<void>((resolve) => {
      const [host, port] = address.split(':');
      const socket = connect(Number(port), host);
      socket.on('error', () => undefined).once('close', () => resolve());
      socket.resume().write(Buffer.concat([PREFACE, resetFrames(0, 3_000, code)]));
    });

  const ask = (client: Client) =>
    new Promise<number>((resolve) => {
      const asIs = (bytes: Buffer) => bytes;
      const done = (error: ServiceError | null) => resolve(error === null ? status.OK : error.code);
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', asIs, asIs, Buffer.alloc(0), done);
    });

  it('end the connection, and for a while others from there; who is connected is answered', async () => {
    const app = await serveApp();
    const server = await serveGrpc(app.predictor);
    const clients = [0, 1].map(() => {
      // A connection of its own for each.
      const own = { 'grpc.use_local_subchannel_pool': 1 };
      return new Client(server.address, credentials.createInsecure(), own);
    });
    const [before, after] = clients as [Client, Client];
    try {
      assert.equal(await ask(before), status.OK);
      await Promise.all([flood(server.address, 8), flood(server.address, 2)]);
      assert.equal(await ask(before), status.OK);
      assert.equal(await ask(after), status.UNAVAILABLE);
    } finally {
      for (const client of clients) client.close();
      await server.close();
      await app.close();
    }
  });

  it('are none where a client takes back a few calls now and then', async () => {
    const app = await serveApp();
    const server = await serveGrpc(app.predictor);
    const [host, port] = server.address.split(':');
    const socket = connect(Number(port), host).resume();
    let hasEnded = false;
    socket
      .on('error', () => undefined)
      .once('close', () => {
        hasEnded = true;
      });
    try {
      socket.write(Buffer.concat([PREFACE, resetFrames(0, 15)]));
      for (const round of [1, 2]) {
        await delay(1_100);
        socket.write(resetFrames(15 * round, 15));
      }
      await delay(100);
      assert.ok(!hasEnded);
    } finally {
      socket.destroy();
      await server.close();
      await app.close();
    }
  });

  it('end the connection alone where others come from the same proxy', async () => {
    const app = await serveApp();
    const server = await serveGrpc(app.predictor, { trustedProxies: 1 });
    await flood(server.address, 8);
    const client = new Client(server.address, credentials.createInsecure());
    try {
      assert.equal(await ask(client), status.OK);
    } finally {
      client.close();
      await server.close();
      await app.close();
    }
  });
});

describe('attacks by gRPC messages', () => {
  it('are refused beyond the room of all bodies, as they are sent or packed', async () => {
    const app = await serveApp();
    const bodyRoom = createRoom(300_000);
    const server = await serveGrpc(app.predictor, { bodyRoom });
    const session = connectHttp2(`http://${server.address}`);
    const send = (message: Buffer, headers: Readonly<Record<string, string>> = {}) =>
      new Promise<number>((resolve) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': PREDICT_PATH,
          'content-type': 'application/grpc',
          ...headers,
        });
        const told = (given: IncomingHttpHeaders) => {
          if (given['grpc-status'] !== undefined) resolve(Number(given['grpc-status']));
        };
        stream
          .on('error', () => undefined)
          .on('response', told)
          .on('trailers', told);
        const head = Buffer.alloc(5);
        head.writeUInt32BE(message.length, 1);
        stream.resume().end(Buffer.concat([head, message]));
      });
    try {
      assert.equal(await send(Buffer.alloc(500_000, 0xff)), status.UNAVAILABLE);
      assert.equal(await send(Buffer.alloc(100), { 'grpc-encoding': 'gzip' }), status.UNAVAILABLE);
      assert.equal(await send(Buffer.alloc(100_000, 0xff)), status.INVALID_ARGUMENT, 'what was held is free');
    } finally {
      session.destroy();
      await server.close();
      await app.close();
    }
  });

  it('are refused, and others answered meanwhile', async () => {
    const app = await serveApp();
    const server = await serveGrpc(app.predictor);
    const service = 'tensorflow.serving.PredictionService';
    const client = new (makeClientConstructor(serviceDefinition(service), service))(
      server.address,
      credentials.createInsecure(),
    );
    const send = (path: string, bytes: Buffer) =>
      new Promise<number>((resolve) => {
        client.makeUnaryRequest(
          path,
          (raw: Buffer) => raw,
          (raw: Buffer) => raw,
          bytes,
          (error: ServiceError | null) => resolve(error === null ? status.OK : error.code),
        );
      });
    /** A field of protobuf whose content is bytes. */
    const field = (tag: number, content: Uint8Array) => {
      const length: number[] = [];
      for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
        length.push(rest >= 128 ? (rest % 128) | 128 : rest);
        if (rest < 128) return Buffer.concat([Buffer.of((tag << 3) | 2, ...length), content]);
      }
    };
    const spec = field(1, field(1, Buffer.from('digits')));
    const withTensor = (tensor: Uint8Array) =>
      Buffer.concat([spec, field(2, Buffer.concat([field(1, Buffer.from('x')), field(2, tensor)]))]);
    const float = Buffer.of(0x08, 1);
    const dims = (...sizes: readonly Uint8Array[]) =>
      field(2, Buffer.concat(sizes.map((size) => field(2, Buffer.concat([Buffer.of(0x08), size])))));
    const [one, side, thousands, huge] = [
      Buffer.of(1),
      Buffer.of(28),
      Buffer.of(0xa0, 0x1f),
      Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    ];
    const zero = field(5, Buffer.alloc(4));
    const messages: Readonly<Record<string, Buffer>> = {
      'seven million dimensions': withTensor(field(2, Buffer.alloc(SIZE, Buffer.of(0x12, 0)))),
      'many inputs': Buffer.concat([
        spec,
        ...Array.from({ length: 300_000 }, (_, at) => field(2, field(1, Buffer.from(at.toString(36))))),
      ]),
      'seven million outputs': Buffer.concat([spec, Buffer.alloc(SIZE, Buffer.of(0x1a, 0))]),
      'fifteen million whole numbers': withTensor(
        Buffer.concat([Buffer.of(0x08, 3), field(7, Buffer.alloc(SIZE))]),
      ),
      'images beyond counting': withTensor(Buffer.concat([float, dims(huge, side, side, one), zero])),
      'one number for four thousand images': withTensor(
        Buffer.concat([float, dims(thousands, side, side, one), zero]),
      ),
      'no message': Buffer.alloc(SIZE, 0xff),
    };
    const probe = () => send('/grpc.health.v1.Health/Check', Buffer.alloc(0));
    try {
      const image = withTensor(Buffer.concat([float, dims(one, side, side, one), zero]));
      assert.equal(await send(`/${service}/Predict`, image), status.OK);
      for (const [what, message] of Object.entries(messages)) {
        assert.ok(message.length < 16_000_000);
        const attack = send(`/${service}/Predict`, message);
        assert.equal(await probe(), status.OK);
        assert.equal(await send(`/${service}/Predict`, image), status.OK);
        assert.equal(await attack, status.INVALID_ARGUMENT, what);
      }
      const fields = Buffer.alloc(SIZE, Buffer.of(0x12, 0));
      const questions = [`/${service}/GetModelMetadata`, '/tensorflow.serving.ModelService/GetModelStatus'];
      for (const path of questions)
        for (const message of [fields, Buffer.of(0xff)])
          assert.equal(await send(path, message), status.INVALID_ARGUMENT, path);
    } finally {
      client.close();
      await server.close();
      await app.close();
    }
  });
});

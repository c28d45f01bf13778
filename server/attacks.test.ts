import assert from 'node:assert/strict';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay, setImmediate as nextRound } from 'node:timers/promises';
import { Client, credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { PREDICT_PATH, PREFACE, resetFrames } from '../bench/reset-frames.js';
import { BodyParts } from './body-parts.js';
import { serviceDefinition } from './grpc/messages.js';
import { createRoom } from './held-bytes.js';
import { bodyOf, postText, testLargeBodies } from './testing/large-bodies.js';
import { digitPng } from './testing/segment-digits.js';
import { type ServedApp, serveApp, serveGrpc, upload } from './testing/served-app.js';

const MEGABYTE = 2 ** 20;
const SIZE = 15_000_000;
const IMAGE = JSON.stringify({ instances: [new Array(784).fill(0.5)] });

describe('attacks by large bodies', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  const post = (path: string, body: string) => postText(app.url + path, body);

  // In the slow tier they are as large as a body may be.
  testLargeBodies(() => app, { sizeBytes: SIZE / 5, mostGrowth: 300 * MEGABYTE });

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

describe('room for bodies', () => {
  const from = (address: string) => ({ address });
  const declared = (address: string, bytes: number, signal = new AbortController().signal) => ({
    ...{ address, bytes, signal },
  });
  /** Whether a promise has been settled by now. */
  const isSettled = async (each: Promise<unknown>) =>
    (await Promise.race([each.then(() => true), nextRound(false)])) === true;

  it('leaves a fifth of it to small bodies', () => {
    const room = createRoom(1_000_000);
    const large = Array.from({ length: 20 }, (_, client) => {
      const place = room.open(from(`10.0.0.${client}`));
      let length = 0;
      while (length < 250_000 && place.add(50_000)) length += 50_000;
      return length;
    });
    const held = large.reduce((sum, each) => sum + each, 0);
    assert.ok(held > 700_000 && held <= 1_000_000, `${held}`);
    const beyond = large.reduce((sum, each) => sum + Math.max(0, each - 65_536), 0);
    assert.ok(beyond > 0 && beyond <= 800_000, `${beyond}`);
  });

  it('counts all that is held, and what is released no more', () => {
    const room = createRoom(10);
    const [one, other] = [room.open(from('a')), room.open(from('b'))];
    assert.ok(one.add(6));
    assert.ok(!other.add(5));
    one.release();
    one.release();
    assert.ok(other.add(10));
    assert.ok(!other.add(1));
  });

  it('takes a body that says its length when there is room for all of it, and gives an address at most half', async () => {
    const room = createRoom(1_000_000);
    const places = await Promise.all([1, 2].map(() => room.enter(declared('a', 200_000))));
    const third = room.enter(declared('a', 100_000));
    assert.ok(!(await isSettled(third)));
    const other = await room.enter(declared('b', 300_000));
    assert.ok(other?.add(300_000) && !other.add(1), 'more than it said');
    assert.ok(!room.open(from('c')).add(100_001), 'what is promised is held');
    places[0]?.release();
    assert.ok(await third);
  });

  it('lets in first who has least, and lets go who waits too long, or has gone', async () => {
    const room = createRoom(1_000_000, { waitMs: 200 });
    const [first, second] = await Promise.all([
      room.enter(declared('a', 400_000)),
      room.enter(declared('b', 400_000)),
    ]);
    const gone = new AbortController();
    const order: string[] = [];
    const waiting = ['a', 'c'].map(async (address) => {
      if ((await room.enter(declared(address, 350_000))) !== undefined) order.push(address);
    });
    const left = room.enter(declared('d', 100_000, gone.signal));
    gone.abort();
    assert.equal(await left, undefined);
    second?.release();
    assert.ok(first);
    await Promise.all(waiting);
    assert.deepEqual(order, ['c'], 'the other one waited in vain');
  });

  it('refuses many who came at the same time a few at a time', async () => {
    const room = createRoom(1_000_000, { waitMs: 50 });
    await room.enter(declared('a', 400_000));
    const left: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        assert.equal(await room.enter(declared('a', 400_000)), undefined);
        left.push(performance.now());
      }),
    );
    const together = left.map((time) => left.filter((other) => Math.abs(other - time) < 2).length);
    assert.ok(Math.max(...together) < 20, 'others have their turn in between');
  });

  it('tells who comes slowly while others wait, and nobody else', async () => {
    const room = createRoom(1_000_000, { waitMs: 400, stallMs: 50 });
    const stalled: string[] = [];
    for (const address of ['silent', 'whole']) {
      const place = await room.enter(declared(address, 400_000));
      if (place === undefined) throw new Error('there is room');
      place.onStalled = () => {
        stalled.push(address);
        place.release();
      };
      if (address === 'whole') place.add(400_000);
    }
    await delay(120);
    assert.deepEqual(stalled, [], 'nobody waits');
    assert.ok(await room.enter(declared('next', 400_000)));
    assert.deepEqual(stalled, ['silent']);
  });

  it('holds parts of one byte as cheaply as one large part', () => {
    for (const expected of [0, 1_000_000, 10]) {
      const held = new BodyParts(expected);
      const parts = Array.from({ length: 251 }, (_, at) => Uint8Array.of(at));
      const before = process.memoryUsage();
      for (let at = 0; at < 1_000_000; at++) held.add(parts[at % 251] as Uint8Array);
      const { rss } = process.memoryUsage();
      assert.ok(rss - before.rss < 60 * MEGABYTE, `grew by ${(rss - before.rss) / MEGABYTE} MiB`);
      const bytes = held.bytes();
      assert.equal(bytes.length, 1_000_000);
      assert.ok(bytes.every((byte, at) => byte === at % 251));
    }
  });
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

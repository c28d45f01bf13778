import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { randomStream } from '../lib/core/random.js';
import { memoryMb } from '../test/processes.js';
import { digitPng } from './testing/segment-digits.js';
import { type ServedApp, serveApp, upload } from './testing/served-app.js';

/** A connection, and all that comes back on it until it ends. */
function open(url: string, options: { readonly allowHalfOpen?: boolean } = {}) {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port), ...options });
  let received = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    received += part;
  });
  // A server that has had enough may reset the connection.
  socket.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  return { socket, ended };
}

const IMAGE = JSON.stringify({ instances: [new Array(784).fill(0.5)] });
const post = (path: string, body: string, more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;

describe('hostile clients', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  const isWell = async ({ url } = app) => {
    const response = await fetch(`${url}/v1/models/model:predict`, { method: 'POST', body: IMAGE });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /^\{"predictions":\[\[/);
  };

  it('who never finish the head of a request are let go, and meanwhile others are answered', async () => {
    const strict = await serveApp({ headersTimeoutMs: 1_500 });
    const slow = Array.from({ length: 200 }, () => open(strict.url));
    for (const { socket } of slow) socket.write('POST /upload HTTP/1.1\r\nHost: x\r\nX-A: ');
    const drip = setInterval(() => {
      for (const { socket } of slow) if (!socket.destroyed) socket.write('b');
    }, 200);
    try {
      await isWell(strict);
      const answers = await Promise.all(slow.map(({ ended }) => ended));
      assert.ok(answers.every((answer) => answer === '' || answer.startsWith('HTTP/1.1 408')));
    } finally {
      clearInterval(drip);
      for (const { socket } of slow) socket.destroy();
      await strict.close();
    }
  });

  it('who send bodies without end get 413 while they still send, and are then let go', async () => {
    const strict = await serveApp({ limits: { maxBodyBytes: 200_000, maxFileBytes: 50_000 } });
    const part = `8000\r\n${'0'.repeat(0x8000)}\r\n`;
    const form = 'Content-Type: multipart/form-data; boundary=b\r\nAccept: application/json\r\n';
    const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n';
    const asChunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
    const cases: readonly (readonly [path: string, headers: string, beginning: string])[] = [
      ['/v1/models/model:predict', '', asChunk('{"instances":[')],
      ['/v2/models/model/infer', '', asChunk('{"inputs":[')],
      ['/upload', form, asChunk(file)],
      // Without even the beginning of a part.
      ['/upload', form, ''],
      ['/predict', form, asChunk(file)],
    ];
    try {
      await Promise.all(
        cases.map(async ([path, headers, beginning]) => {
          const { socket, ended } = open(strict.url);
          socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n${headers}\r\n`);
          const send = () => {
            if (!socket.destroyed) socket.write(part, () => setImmediate(send));
          };
          socket.write(beginning, send);
          const answer = await ended;
          assert.match(answer, /^HTTP\/1\.1 413 [\s\S]*"error":"The (body|file) is too large/, path);
        }),
      );
      await isWell(strict);
    } finally {
      await strict.close();
    }
  });

  it('who hold many large bodies half sent leave room for small ones', async () => {
    const narrow = await serveApp({ limits: { maxHeldBytes: 1_000_000 } });
    const png = await digitPng(7);
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n';
    const length = 'Content-Length: 900000\r\n';
    const heads = [
      `POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\n${length}\r\n`,
      `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n${length}\r\n${part}`,
    ];
    const slow = heads.flatMap((head) =>
      Array.from({ length: 8 }, () => {
        const { socket } = open(narrow.url);
        return new Promise<Socket>((resolve) =>
          socket.write(head + ' '.repeat(400_000), () => resolve(socket)),
        );
      }),
    );
    const sockets = await Promise.all(slow);
    try {
      for (let round = 0; round < 10; round++) {
        await isWell(narrow);
        assert.equal((await upload(narrow.url, png)).status, 200);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
      await narrow.close();
    }
  });

  it('who ask by several names get 400, and by a foreign one 403 where this machine alone is meant', async () => {
    const alone = await serveApp({ hosts: { names: ['box.example.org'], flag: '--allow-host' } });
    const statusOf = async (url: string, ...hosts: readonly string[]) => {
      const { socket, ended } = open(url, { allowHalfOpen: true });
      socket.end(`GET /healthz HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}\r\n`);
      return /^HTTP\/1\.1 (\d+)[\s\S]*?(?:"error":"(.*?)"|$)/.exec(await ended)?.slice(1);
    };
    try {
      for (const host of [
        'localhost',
        'LOCALHOST:80',
        '127.0.0.1:5000',
        '[::1]:5000',
        'a.localhost',
        'box.example.org',
      ])
        assert.deepEqual(await statusOf(alone.url, host), ['200', undefined], host);
      for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:5000']) {
        const name = host.replace(':5000', '');
        assert.deepEqual(await statusOf(alone.url, host), [
          '403',
          `Ask for localhost or 127.0.0.1, not for ${host}: this server is for this machine alone (--allow-host ${name} allows it).`,
        ]);
      }
      for (const { url } of [alone, app])
        assert.deepEqual(await statusOf(url, 'localhost', 'evil.example'), [
          '400',
          'Expected one Host header, found 2.',
        ]);
      assert.deepEqual(await statusOf(app.url, 'evil.example'), ['200', undefined]);
    } finally {
      await alone.close();
    }
  });

  it('who close their side after a whole request get their answer, and are then let go', async () => {
    const png = await digitPng(7);
    const form = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n'),
      png,
      Buffer.from('\r\n--b--\r\n'),
    ]).toString('latin1');
    const multipart = 'Content-Type: multipart/form-data; boundary=b\r\nAccept: application/json\r\n';
    const uploading = `POST /upload HTTP/1.1\r\nHost: x\r\n${multipart}Content-Length: ${form.length}\r\n\r\n${form}`;
    const predict = post('/v1/models/model:predict', IMAGE);
    const cases: readonly (readonly [string, RegExp])[] = [
      [predict, /^HTTP\/1\.1 200 .*\{"predictions":\[\[/s],
      ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 200 .*<\/html>/s],
      [uploading, /^HTTP\/1\.1 200 .*\{"prediction":7/s],
      [predict + predict, /^HTTP\/1\.1 200 .*\{"predictions":\[\[.*HTTP\/1\.1 200 .*\{"predictions":\[\[/s],
    ];
    const received = await Promise.all(
      cases.map(([text]) => {
        const { socket, ended } = open(app.url, { allowHalfOpen: true });
        socket.end(text, 'latin1');
        // It ends only when the server has closed its side too: nothing is left open.
        return ended;
      }),
    );
    for (const [index, answer] of received.entries()) assert.match(answer, cases[index]?.[1] ?? /never/);
    await isWell();
  });

  it('who close their side and wait on are let go, not kept', async () => {
    for (const text of ['', 'GET / HT', post('/v1/models/model:predict', IMAGE).slice(0, -100)]) {
      const { socket, ended } = open(app.url, { allowHalfOpen: true });
      socket.end(text);
      assert.match(await ended, /^(HTTP\/1\.1 (400|408) |$)/, 'the server ends the connection');
    }
    await isWell();
  });

  it('who go away in the middle of a body, or before their answer, leave nothing behind', async () => {
    for (let round = 0; round < 20; round++) {
      const { socket, ended } = open(app.url);
      const request = post('/v1/models/model:predict', IMAGE);
      socket.write(round % 2 === 0 ? request : request.slice(0, -100), () => socket.destroy());
      await ended;
    }
    await isWell();
    const text = await (await fetch(`${app.url}/metrics`)).text();
    assert.match(
      text,
      /fedbatch_request_duration_seconds_count\{route="\/v1:predict",method="POST",status="(400|499)"\}/,
    );
  });

  it('who speak no HTTP, or smuggle, get 400 and no more', async () => {
    for (const text of [
      'hello\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
    ]) {
      const { socket, ended } = open(app.url);
      socket.write(text, 'latin1');
      assert.match(await ended, /^(HTTP\/1\.1 (400|431|408) |$)/, JSON.stringify(text.slice(0, 40)));
    }
    await isWell();
  });

  it('who send 1,000 malformed bodies get 4xx, and the server stays small', async () => {
    const random = randomStream(1, 'bodies');
    const seeds = [
      IMAGE,
      JSON.stringify({
        inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 784], data: new Array(784).fill(0) }],
      }),
      `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      `{"instances":${'['.repeat(2_000)}1${']'.repeat(2_000)}}`,
      `{"instances":${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}}`,
      '{"instances":[{"b64":"AAAA"}]}',
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1e308,-1],"data":[]}]}',
      '{"instances":[[NaN]]}',
      '\ufeff{}',
      '\0\0\0\0',
    ];
    const before = await memoryMb();
    const statuses = new Map<number, number>();
    for (let round = 0; round < 50; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const bytes = Buffer.from(seeds[random.integer(0, seeds.length - 1)] as string);
          bytes[random.integer(0, Math.min(60, bytes.length - 1))] = random.integer(0, 255);
          const cut = bytes.subarray(0, random.integer(0, bytes.length - 1));
          const path = index % 2 === 0 ? '/v1/models/model:predict' : '/v2/models/model/infer';
          const response = await fetch(app.url + path, { method: 'POST', body: new Uint8Array(cut) });
          const { error } = (await response.json()) as { error?: string };
          assert.equal(typeof error, 'string');
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        }),
      );
    }
    assert.deepEqual([...statuses], [[400, 1_000]]);
    const grown = (await memoryMb()) - before;
    assert.ok(grown < 200, `grew by ${grown.toFixed(0)} MiB`);
    await isWell();
  });
});

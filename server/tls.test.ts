import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runCommand } from '../test/program-host.js';
import { programPath, runProgramFile } from '../test/programs.js';
import { writePrototypeModel } from './testing/prototype-model.js';
import { digitPng } from './testing/segment-digits.js';

/** Made by make.sh beside them; seen from dist/server/. */
const pem = (name: string) => fileURLToPath(new URL(`../../server/testing/tls/${name}.pem`, import.meta.url));
const IMAGE = JSON.stringify({ instances: [new Array(784).fill(0.5)] });

describe('fedbatch serve by TLS', () => {
  let directory: string;
  let model: string;
  let ca: Buffer;
  let url: string;
  let grpcPort: string;
  let running: ReturnType<typeof start>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    model = join(directory, 'digits.h5');
    ca = await readFile(pem('ca'));
    await writePrototypeModel(model);
    running = start(['--tls-cert', pem('server'), '--tls-key', pem('server-key'), '--grpc-port', '0']);
    const addresses: string[] = [];
    for await (const line of createInterface(running.stdout)) {
      addresses.push(/^Listening (?:for gRPC )?on (.*)$/.exec(line)?.[1] ?? line);
      if (addresses.length === 2) break;
    }
    [url, grpcPort] = [addresses[0] ?? '', addresses[1]?.split(':')[1] ?? ''];
  });
  after(async () => {
    // Who never says a word of TLS must not keep the server from ending.
    const silent = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
    await once(silent, 'connect');
    running.kill('SIGTERM');
    const { exitCode, stderr } = await running;
    await rm(directory, { recursive: true, force: true });
    assert.equal(exitCode, 0, stderr);
  });

  const start = (flags: readonly string[]) =>
    execa(process.execPath, [programPath('server/cli'), '--model', model, '--port', '0', ...flags], {
      reject: false,
    });

  interface Answer {
    readonly status: number | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly text: string;
  }
  const ask = (path: string, { body, ...options }: RequestOptions & { readonly body?: string } = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const request = httpsRequest(url + path, { ca, ...options }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      });
      request.on('error', reject).end(body);
    });

  it('answers page and API to who knows its authority, and tells browsers to stay with TLS', async () => {
    assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const page = await ask('/', { headers: { Accept: 'text/html' } });
    assert.equal(page.status, 200);
    assert.match(page.text, /<title>/);
    assert.match(page.headers['strict-transport-security'] ?? '', /^max-age=\d{7,}/);
    const api = await ask('/v1/models/digits:predict', { method: 'POST', body: IMAGE });
    assert.equal(api.status, 200);
    assert.equal((JSON.parse(api.text) as { predictions: number[][] }).predictions[0]?.length, 10);
  });

  it('is not believed by who does not know its authority, nor spoken to by what is long out of date', async () => {
    await assert.rejects(ask('/healthz', { ca: [] }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    await assert.rejects(ask('/healthz', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }), { code: /^E/ });
    assert.equal((await ask('/healthz')).status, 200);
  });

  it('hangs up on plain HTTP, and answers the next', async () => {
    await assert.rejects(fetch(url.replace('https:', 'http:')));
    const received = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.setEncoding('latin1').on('data', (part: string) => {
        text += part;
      });
      socket.on('error', () => undefined).on('close', () => resolve(text));
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    assert.doesNotMatch(received, /HTTP\/1\.1 200|<html/);
    assert.equal((await ask('/healthz')).status, 200);
  });

  it('is asked by fedbatch predict, by REST and by gRPC', async () => {
    const image = join(directory, 'five.png');
    await writeFile(image, await digitPng(5));
    const predict = (port: string, protocol: string, env: NodeJS.ProcessEnv) =>
      runProgramFile(
        'cli',
        ['predict', '--image', image, '--model', 'digits', '--tls', '--port', port, '--protocol', protocol],
        { env },
      );
    const { port } = new URL(url);
    // The environment of whoever runs this test may name authorities of its own.
    const doubtful = { NODE_EXTRA_CA_CERTS: undefined, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined };
    const trusting = { ...doubtful, NODE_EXTRA_CA_CERTS: pem('ca') };
    const [rest, byGrpc, ...doubting] = await Promise.all([
      predict(port, 'rest', trusting),
      predict(grpcPort, 'grpc', trusting),
      predict(port, 'rest', doubtful),
      predict(grpcPort, 'grpc', doubtful),
    ]);
    for (const { exitCode, stdout, stderr } of [rest, byGrpc]) {
      assert.equal(exitCode, 0, stderr);
      assert.equal((JSON.parse(stdout) as { prediction: number }).prediction, 5);
    }
    for (const { exitCode, stderr } of doubting) {
      assert.equal(exitCode, 5);
      assert.match(stderr, /^error: predict: \S+: .*(UNABLE_TO_VERIFY_LEAF_SIGNATURE|certificate)/m);
    }
  });

  it('says in one sentence what is wrong with the files', async () => {
    const [cert, key, other] = [pem('server'), pem('server-key'), pem('other-key')];
    const none = join(directory, 'none.pem');
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--tls-cert', cert], /^error: --tls-cert and --tls-key go together: give both, or none\.$/],
      [
        ['--tls-cert', cert, '--tls-key', other],
        /^error: --tls-cert \S+server\.pem and --tls-key \S+other-key\.pem are no certificate with its key in PEM: key values mismatch\.$/,
      ],
      [['--tls-cert', key, '--tls-key', cert], /are no certificate with its key in PEM: no start line\.$/],
      [
        ['--tls-cert', none, '--tls-key', key],
        /^error: --tls-cert: \S+none\.pem: expected a certificate in PEM, found no such file\.$/,
      ],
      [
        ['--tls-cert', pem('expired'), '--tls-key', key],
        /^error: --tls-cert \S+expired\.pem: expected a certificate that is valid now, \S+Z, found one that expired at 2021-01-01T00:00:00\.000Z\.$/,
      ],
      [
        ['--tls-cert', pem('early'), '--tls-key', key],
        /^error: --tls-cert \S+early\.pem: expected .*, found one from 2119-01-01T00:00:00\.000Z on\.$/,
      ],
      ...['locked-key', 'locked-ec-key'].map(
        (name) =>
          [
            ['--tls-cert', cert, '--tls-key', pem(name)],
            /^error: --tls-key (\S+): expected a private key without a passphrase, found one that needs it; openssl pkey -in \1 -out key\.pem writes it without\.$/,
          ] as const,
      ),
      [
        ['--tls-cert', cert, '--tls-key', directory],
        /^error: --tls-key: \S+: expected a private key in PEM, found a directory\.$/,
      ],
    ];
    await Promise.all(
      cases.map(async ([flags, sentence]) => {
        const { exitCode, stderr, stdout } = await runCommand('serve', ['--model', model, ...flags]);
        assert.equal(exitCode, 2, stderr);
        assert.match(stderr, sentence);
        assert.equal(stdout, '');
      }),
    );
  });
});

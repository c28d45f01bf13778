import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runCommand } from '../test/program-host.js';
import { writePrototypeModel } from './testing/prototype-model.js';
import { digitPng } from './testing/segment-digits.js';
import { type UploadAnswer, upload } from './testing/served-app.js';

/** Of an upload whose server says when it has begun: `continue`. */
const MULTIPART = { 'Content-Type': 'multipart/form-data; boundary=b', Expect: '100-continue' };

const CLI = fileURLToPath(new URL('./cli.js', import.meta.url));

describe('fedbatch serve', () => {
  let directory: string;
  let model: string;
  let home: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    model = join(directory, 'model.h5');
    home = join(directory, 'home');
    await mkdir(join(directory, 'samples'));
    await mkdir(home);
    await writeFile(join(directory, 'samples', 'digit-3.png'), await digitPng(3));
    await writePrototypeModel(model);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** Runs in an empty directory that is also its home and place for temporary files; CI would keep ONNX Runtime quiet. */
  const serve = (...flags: readonly string[]) =>
    execa(process.execPath, [CLI, ...flags], {
      cwd: home,
      env: { TMPDIR: home, HOME: home, CI: undefined },
      reject: false,
    });

  /** The same in a process that stays, for what does not come up. */
  const refuse = (...flags: readonly string[]) => runCommand('serve', flags, { cwd: home });

  async function start(...flags: readonly string[]) {
    const running = serve('--model', model, '--port', '0', ...flags);
    // Not the iteration of execa itself: leaving that one waits for the end of the program.
    for await (const line of createInterface(running.stdout)) {
      const url = /^Listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
      if (url !== undefined) return { running, url };
    }
    throw new Error(`The server did not come up: ${(await running).stderr}`);
  }

  /** Ends when a server has said that it stops. */
  async function stopping(stderr: NodeJS.ReadableStream): Promise<void> {
    for await (const line of createInterface(stderr)) if (/Stopping/.test(line)) return;
    throw new Error('It never said that it stops.');
  }

  it('says where it listens, answers, leaves nothing on the disk, and ends with 0 when told to', async () => {
    const { running, url } = await start(
      ...['--samples', join(directory, 'samples'), '--allow-host', 'Box.Example.org', 'other.example'],
    );
    for (const digit of [0, 7, 9]) {
      const response = await upload(url, await digitPng(digit));
      assert.equal(((await response.json()) as UploadAnswer).prediction, digit);
    }
    await upload(
      url,
      await digitPng(1, { width: 3000, height: 3000, left: 900, top: 500, digitHeight: 1500 }),
    );
    assert.equal((await fetch(`${url}/samples/digit-3.png`)).status, 200);
    const statusFor = async (host: string) => {
      const request = httpRequest(`${url}/model`, { headers: { Host: host } }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    assert.equal(await statusFor('box.example.org:5000'), 200);
    assert.equal(await statusFor('other.example'), 200);
    assert.equal(await statusFor('evil.example'), 403);
    assert.deepEqual(await readdir(home), []);
    running.kill('SIGTERM');
    const { exitCode, stderr } = await running;
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /Stopping/);
    assert.deepEqual(await readdir(home), []);
  });

  it('finishes a request that had begun before it was told to stop', async () => {
    const { running, url } = await start();
    const png = await digitPng(4);
    const body = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="4.png"\r\n\r\n'),
      png,
      Buffer.from('\r\n--b--\r\n'),
    ]);
    const answer = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const request = httpRequest(`${url}/upload`, {
        method: 'POST',
        headers: { ...MULTIPART, 'Content-Length': body.length },
      });
      request.on('error', reject).on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      });
      request.write(body.subarray(0, 40));
      request.once('continue', () => running.kill('SIGTERM'));
      void stopping(running.stderr).then(async () => {
        await assert.rejects(fetch(url), 'new connections are not taken');
        request.end(body.subarray(40));
      }, reject);
    });
    const { status, text } = await answer;
    assert.equal(status, 200);
    assert.equal((JSON.parse(text) as UploadAnswer).prediction, 4);
    assert.equal((await running).exitCode, 0);
  });

  it('does not wait for who never finishes', async () => {
    const { running, url } = await start();
    const request = httpRequest(`${url}/upload`, {
      method: 'POST',
      headers: { ...MULTIPART, 'Content-Length': 1000 },
    });
    request.on('error', () => undefined);
    request.write('--b\r\n');
    await once(request, 'continue');
    const begun = Date.now();
    running.kill('SIGTERM');
    assert.equal((await running).exitCode, 0);
    assert.ok(Date.now() - begun < 25_000, 'it waited until the request itself had run out of time');
  });

  it('says in one sentence why it cannot start', async () => {
    const text = join(directory, 'text.h5');
    await writeFile(text, 'not a model');
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const taken = String((other.address() as AddressInfo).port);
    const expectations: readonly (readonly [readonly string[], number, RegExp])[] = [
      [
        ['--model', join(directory, 'none.h5')],
        3,
        /^error: .*none\.h5: expected a Keras model \(.h5 or .keras\), found no such file\.$/,
      ],
      [['--model', text], 3, /^error: .*text\.h5: expected .*, found .*\.$/],
      [['--model', directory], 3, /^error: .*found a directory\.$/],
      [
        ['--model', model, '--port', taken],
        2,
        new RegExp(`^error: Port ${taken} on 127\\.0\\.0\\.1 is in use by another program; .*--port.*\\.$`),
      ],
      [
        ['--model', model, '--port', '0', '--grpc-port', taken],
        2,
        new RegExp(
          `^error: Port ${taken} on 127\\.0\\.0\\.1 is in use by another program; .*--grpc-port \\(0 picks a free one\\)\\.$`,
        ),
      ],
      [
        ['--model', model, '--port', taken, '--grpc-port', taken],
        2,
        new RegExp(`^error: --port and --grpc-port are both ${taken}; choose another for one of them .*\\.$`),
      ],
      [
        ['--model', model, '--wait-for-model', '--port', taken, '--grpc-port', '0'],
        2,
        new RegExp(`^error: Port ${taken} on 127\\.0\\.0\\.1 is in use by another program; .*--port .*\\.$`),
      ],
      [
        ['--model', model, '--host', '192.0.2.1'],
        2,
        /^error: 192\.0\.2\.1 is not an address of this machine; .*--host\.$/,
      ],
      [
        ['--model', model, '--host', '0.0.0.0', '--allow-host', 'box'],
        2,
        /^error: --allow-host is for a server of this machine alone; .* asked by any name\.$/,
      ],
      [
        ['--model', model, '--allow-host', 'http://box:5000'],
        2,
        /^error: --allow-host: expected a host's name without port, e\.g\. box\.example\.org, found http:\/\/box:5000\.$/,
      ],
      [
        ['--model', model, '--samples', join(directory, 'none')],
        3,
        /^error: .*none: expected a directory of sample pictures, found none\.$/,
      ],
    ];
    try {
      for (const [index, [flags, code, sentence]] of expectations.entries()) {
        // One as users do, the others in a process that stays.
        const { exitCode, stderr, stdout } = await (index === 0 ? serve(...flags) : refuse(...flags));
        assert.equal(exitCode, code, stderr);
        assert.match(stderr, sentence);
        assert.equal(stdout, '');
      }
    } finally {
      other.close();
    }
    const noModel = await refuse();
    assert.equal(noModel.exitCode, 2);
    assert.match(noModel.stderr, /--model/);
    const badPort = await refuse('--model', model, '--port', '70000');
    assert.equal(badPort.exitCode, 2);
    assert.match(badPort.stderr, /from 0 to 65535, found "70000"/);
  });

  it('explains itself', async () => {
    const { stdout, exitCode } = await serve('--help');
    assert.equal(exitCode, 0);
    for (const part of ['--model', '--host', 'default: 127.0.0.1', '--port', '5000', '--samples', 'curl']) {
      assert.ok(stdout.includes(part), part);
    }
    const [, sample = ''] = /file=@(samples\/\S+)/.exec(stdout) ?? [];
    await access(fileURLToPath(new URL(`../../${sample}`, import.meta.url)));
  });
});

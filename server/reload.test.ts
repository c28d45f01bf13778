import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { runCommand } from '../test/program-host.js';
import { writeDenseModel, writePrototypeModel } from './testing/prototype-model.js';
import { digitPng } from './testing/segment-digits.js';

const CLI = fileURLToPath(new URL('./cli.js', import.meta.url));

interface ModelFacts {
  readonly version?: number;
  readonly sha256?: string;
  readonly refused?: { readonly reason: string };
}

describe('fedbatch serve while its model changes, and fedbatch predict', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('starts without a model, takes it, survives a bad one, and goes back', async () => {
    const model = join(directory, 'digits.h5');
    const image = join(directory, 'five.png');
    const adminToken = join(directory, 'admin-token');
    await writeFile(adminToken, 'let-me');
    await writeFile(image, await digitPng(5));
    const flags = [
      '--model',
      model,
      '--wait-for-model',
      '--reload-interval',
      '0.05',
      '--admin-token-file',
      adminToken,
    ];
    const running = execa(process.execPath, [CLI, ...flags, '--port', '0', '--grpc-port', '0'], {
      reject: false,
    });
    const addresses: string[] = [];
    for await (const line of createInterface(running.stdout)) {
      addresses.push(/^Listening (?:for gRPC )?on (.*)$/.exec(line)?.[1] ?? line);
      if (addresses.length === 2) break;
    }
    const [url = '', grpc = ''] = addresses;
    const facts = async () => (await (await fetch(`${url}/model`)).json()) as ModelFacts;
    const becomes = async (isSo: (model: ModelFacts) => boolean) => {
      for (let found = await facts(); ; found = await facts()) {
        if (isSo(found)) return found;
        // What loads a model gives way to whoever asks.
        await delay(200);
      }
    };
    const predict = (...more: readonly string[]) =>
      runCommand('predict', ['--image', image, '--model', 'digits', ...more]);
    try {
      assert.equal((await fetch(`${url}/readyz`)).status, 503);
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
      const early = await predict('--port', new URL(url).port);
      assert.equal(early.exitCode, 5);
      assert.match(
        early.stderr,
        /^error: predict: http:\/\/127\.0\.0\.1:\d+: The model is not loaded yet\.$/m,
      );

      const sha256 = await writePrototypeModel(model);
      assert.equal((await becomes(({ version }) => version === 1)).sha256, sha256);
      assert.equal((await fetch(`${url}/readyz`)).status, 200);

      const [rest, byGrpc] = await Promise.all([
        predict('--port', new URL(url).port),
        predict(
          '--port',
          grpc.split(':')[1] ?? '',
          '--protocol',
          'grpc',
          '--signature_name',
          'serving_default',
        ),
      ]);
      for (const { exitCode, stdout, stderr } of [rest, byGrpc]) {
        assert.equal(exitCode, 0, stderr);
        const answer = JSON.parse(stdout) as { prediction: number; probabilities: readonly number[] };
        assert.equal(answer.prediction, 5);
        assert.equal(answer.probabilities.length, 10);
      }

      await writeFile(model, (await readFile(model)).subarray(0, 3_000));
      const { refused, version } = await becomes((each) => each.refused !== undefined);
      assert.match(refused?.reason ?? '', /^digits\.h5: expected /, 'without the directory');
      assert.equal(version, 1);

      const other = join(directory, 'other.h5');
      const kernel = new Float32Array(7_840).fill(0.01);
      await writeDenseModel(other, { inputShape: [28, 28, 1], kernel, bias: new Float32Array(10) });
      await writeFileAtomic(model, await readFile(other));
      await becomes((each) => each.version === 2);
      const back = await fetch(`${url}/admin/rollback`, {
        method: 'POST',
        headers: { Authorization: 'Bearer let-me' },
      });
      assert.deepEqual(await back.json(), { version: 1, sha256 });
      await delay(150);
      assert.equal((await facts()).version, 1);
    } finally {
      running.kill('SIGTERM');
    }
    const { exitCode, stderr } = await running;
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stderr,
      /Version 1 of the model answers on onnx\/cpu.* pixels from 0 to 1, since its file names no other/,
    );
    assert.match(stderr, /The new model file is refused, version 1 keeps answering/);
  });

  it('predict says in one sentence what is wrong', async () => {
    const text = join(directory, 'text.png');
    await writeFile(text, 'no picture');
    const nobody = `${await portOfNobody()}`;
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [[], 2, /--image/],
      [['--image', join(directory, 'none.png')], 3, /none\.png: expected a picture, found no such file\.$/m],
      [['--image', text, '--protocol', 'soap'], 2, /rest, grpc/],
      [
        ['--image', text, '--port', nobody],
        5,
        /predict: http:\/\/127\.0\.0\.1:\d+: no server answers \(ECONNREFUSED\)\.$/m,
      ],
      [['--image', text, '--port', nobody, '--protocol', 'grpc'], 5, /predict: 127\.0\.0\.1:\d+: /],
    ];
    const results = await Promise.all(cases.map(([flags]) => runCommand('predict', flags)));
    for (const [index, { exitCode, stderr }] of results.entries()) {
      const [flags, code, sentence] = cases[index] ?? [[], 0, /./];
      assert.equal(exitCode, code, `${flags.join(' ')}: ${stderr}`);
      assert.match(stderr, sentence);
    }
  });
});

/** A port that was free a moment ago. (fetch refuses the lowest ones without asking.) */
async function portOfNobody(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import { runCommand } from '../../test/program-host.js';
import { programPath } from '../../test/programs.js';
import { requireValid } from '../../test/results.js';
import { writePrototypeModel } from '../testing/prototype-model.js';
import { digitPng } from '../testing/segment-digits.js';

describe('fedbatch predict', () => {
  let directory: string;
  let running: ReturnType<typeof start>;
  let [restPort, grpcPort] = ['', ''];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const model = join(directory, 'model.h5');
    await writePrototypeModel(model);
    await writeFile(join(directory, '4.png'), await digitPng(4));
    running = start('--model', model, '--name', 'test', '--port', '0', '--grpc-port', '0');
    for await (const line of createInterface(running.stdout)) {
      restPort = /^Listening on .*:(\d+)$/.exec(line)?.[1] ?? restPort;
      grpcPort = /^Listening for gRPC on .*:(\d+)$/.exec(line)?.[1] ?? '';
      if (grpcPort !== '') break;
    }
  });
  after(async () => {
    running.kill('SIGTERM');
    await running;
    await rm(directory, { recursive: true, force: true });
  });

  const start = (...flags: readonly string[]) =>
    execa(process.execPath, [programPath('server/cli'), ...flags], { reject: false });

  const predict = (port: string, ...more: readonly string[]) =>
    runCommand('predict', [
      ...['--host', 'localhost', '--port', port, '--image', join(directory, '4.png')],
      ...['--signature_name', 'predict', '--model', 'test', ...more],
    ]);

  it('takes the words of a known client, and finds out the protocol of the port', async () => {
    for (const [port, ...more] of [
      [restPort],
      [grpcPort],
      [restPort, '--protocol', 'rest'],
      [grpcPort, '--protocol', 'grpc', '--signature_name', 'serving_default'],
    ] as const) {
      const { exitCode, stdout, stderr } = await predict(port, ...more);
      assert.equal(exitCode, 0, stderr);
      const answer = JSON.parse(stdout) as { prediction: number };
      requireValid('prediction', answer);
      assert.equal(answer.prediction, 4);
    }
  });

  it('guesses nothing about a blank picture', async () => {
    const blank = join(directory, 'blank.png');
    await writeFile(blank, await digitPng(4, { ink: [250, 250, 250], paper: [250, 250, 250] }));
    const { exitCode, stdout, stderr } = await predict(restPort, '--image', blank);
    assert.deepEqual([exitCode, stdout], [3, '']);
    assert.match(stderr, /blank\.png: expected something to read, found a blank picture\.$/m);
  });

  it('tells the signature under both of its names', async () => {
    const response = await fetch(`http://127.0.0.1:${restPort}/v1/models/test/metadata`);
    const { metadata } = (await response.json()) as {
      metadata: { signature_def: { signature_def: Readonly<Record<string, { inputs: object }>> } };
    };
    const { serving_default: usual, predict: known, ...others } = metadata.signature_def.signature_def;
    assert.deepEqual(Object.keys(usual?.inputs ?? {}), ['flatten_input']);
    assert.deepEqual(Object.keys(known?.inputs ?? {}), ['flatten_input']);
    assert.deepEqual(others, {});
    const { exitCode, stderr } = await predict(restPort, '--signature_name', 'classify');
    assert.equal(exitCode, 5);
    assert.match(stderr, /the model has no signature classify; it has serving_default and predict\.$/m);
  });

  it('says which protocol to give, and where nothing helps', async () => {
    const deaf = createServer((socket) => {
      socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => deaf.once('listening', resolve));
    const deafPort = String((deaf.address() as AddressInfo).port);
    try {
      for (const [port, more, sentence] of [
        [grpcPort, ['--protocol', 'rest'], /is no HTTP \(\S+\); is it a gRPC port\? .*--protocol grpc\.$/m],
        [
          restPort,
          ['--protocol', 'grpc'],
          /is no gRPC; is it the port of the REST API\? .*--protocol rest\.$/m,
        ],
        [deafPort, ['--host', '127.0.0.1'], /speaks neither HTTP nor gRPC; check --port and --tls\.$/m],
        ['1', [], /no server answers|bad port/],
      ] as const) {
        const { exitCode, stdout, stderr } = await predict(port, ...more);
        assert.equal(exitCode, 5, stderr);
        assert.match(stderr, sentence);
        assert.equal(stdout, '');
      }
    } finally {
      deaf.close();
    }
  });
});

/** What a request allocates is gone with it: V8 must not make it among the old objects, where it stays for seconds. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { writePrototypeModel } from './testing/prototype-model.js';

const CLI = fileURLToPath(new URL('./cli.js', import.meta.url));
/** As many as make V8 learn that much survives, and then few. */
const [MANY, FEW] = [64, 2];
const REQUESTS = 12_000;
/** Of the bytes that were allocated: 0.022 where V8 makes objects of requests among the old ones, 0.0003 else. */
const MOST_PROMOTED = 0.005;

/** Asks so many at a time, as often as `REQUESTS` says. */
async function ask(url: string, body: Buffer, atOnce: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let asked = 0;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(url, { agent, method: 'POST', headers: { 'Content-Length': body.length } });
      sent.once('error', reject).once('response', (response) => {
        if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
        response.resume().once('end', resolve);
      });
      sent.end(body);
    });
  const inTurn = async () => {
    while (asked++ < REQUESTS) await one();
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  agent.destroy();
}

test('after a busy moment the objects of a request die young', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const model = join(directory, 'model.h5');
  await writePrototypeModel(model);
  const flags = ['--model', model, '--port', '0', '--name', 'm'];
  const server = execa(process.execPath, ['--trace-gc-nvp', CLI, ...flags], { reject: false });
  t.after(async () => {
    server.kill('SIGTERM');
    await server;
  });
  let url = '';
  /** Of young objects in all threads, from when few ask. */
  const collections: { readonly allocated: number; readonly promoted: number }[] = [];
  let isCounted = false;
  await new Promise<void>((resolve) => {
    createInterface(server.stdout).on('line', (line) => {
      url ||= /^Listening on (http:\S+)$/.exec(line)?.[1] ?? '';
      if (url !== '') resolve();
      const [, allocated, promoted] = /\bgc=s .*\ballocated=(\d+) promoted=(\d+)/.exec(line) ?? [];
      if (isCounted && allocated !== undefined)
        collections.push({ allocated: Number(allocated), promoted: Number(promoted) });
    });
  });
  const row = Array.from({ length: 28 }, (_, at) =>
    Array.from({ length: 28 }, (_, x) => [((at * x) % 97) / 97]),
  );
  const body = Buffer.from(JSON.stringify({ instances: [row] }));
  const address = `${url}/v1/models/m:predict`;
  await ask(address, body, MANY);
  isCounted = true;
  await ask(address, body, FEW);
  const sum = (of: (each: (typeof collections)[number]) => number) =>
    collections.reduce((total, each) => total + of(each), 0);
  assert.ok(collections.length > 5, `${collections.length} collections`);
  const share = sum(({ promoted }) => promoted) / sum(({ allocated }) => allocated);
  assert.ok(share < MOST_PROMOTED, `${share.toFixed(4)} of what was allocated became old`);
});

/** What a run looks like on a terminal: one line a round, whole figures at any width, nothing lost by a resize. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { Reporter } from '../lib/observability/events.js';
import { createHumanReporter } from '../lib/observability/human-reporter.js';
import { federatedAveraging } from '../pipeline/rounds/round-loop.js';
import type { Runner } from '../pipeline/rounds/runner.js';
import { toldRunner } from '../pipeline/rounds/watched-runner.js';
import { writeTinyDataset } from './datasets.js';
import { programPath } from './programs.js';
import { openTerminal } from './terminal.js';

let directory = '';
before(async () => {
  // Whatever terminal the tests themselves run on, they open one that wraps its rows anew.
  for (const name of ['XTERM_VERSION', 'STY']) delete process.env[name];
  process.env.TERM = 'xterm-256color';
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const rules = { clients: 20, rounds: 5, fraction: 1, minClients: 1, seed: 0 };

/** A runner that tells what its clients do, as trainers do; `onClient` is called while a client is half done. */
function tellingRunner(
  reporter: Reporter,
  onClient: (round: number, client: number) => Promise<void>,
): Runner {
  const model = { file: 'global.h5', sha256: '' };
  return {
    init: async () => model,
    async train({ round, clients }) {
      for (const client of clients) {
        const part = { stage: 'train', client, round, rounds: 5, total: 100, unit: 'examples' } as const;
        const figures = { epoch: 1, epochs: 2, loss: 0.1234, accuracy: 0.9876, examplesPerSecond: 12_345 };
        reporter.progress({ ...part, done: 50, ...figures });
        await onClient(round, client);
        reporter.progress({ ...part, done: 100, ...figures });
      }
      return { reported: [], missing: [] };
    },
    async aggregate({ round }) {
      reporter.step(`aggregate         round ${round}: 20 updates, 1200 examples  0.1 s`);
      return { ...model, rejected: [] };
    },
    evaluate: async ({ round }) => ({ examples: 100, loss: 1 / round, accuracy: 0.9 + round / 100 }),
  };
}

/** Runs 5 rounds of 20 clients on a terminal. */
async function show(
  terminal: ReturnType<typeof openTerminal>,
  onClient: (round: number, client: number) => Promise<void> = async () => undefined,
): Promise<void> {
  const reporter = await createHumanReporter(terminal.stream);
  reporter.info('Starting');
  await federatedAveraging(rules, toldRunner(tellingRunner(reporter, onClient), { rules, reporter }));
  reporter.close();
}

/** Long enough for a redraw. */
const redrawn = () => sleep(150);

test('20 clients in 5 rounds leave 5 lines, each with its round and its figures', async () => {
  const terminal = openTerminal(80, 24);
  await show(terminal);
  const rows = await terminal.rows();
  assert.deepEqual(
    rows.map((row) => row.replace(/ \d+\.\d s/, ' T s').replace(/\d+ s left/, 'T s left')),
    [
      'Starting',
      'round 1/5         accuracy 0.9100  loss 1.0000  T s  T s left',
      'round 2/5         accuracy 0.9200  +0.0100  loss 0.5000  T s  T s left',
      'round 3/5         accuracy 0.9300  +0.0100  loss 0.3333  T s  T s left',
      'round 4/5         accuracy 0.9400  +0.0100  loss 0.2500  T s  T s left',
      'round 5/5         accuracy 0.9500  +0.0100  loss 0.2000  T s',
    ],
  );
});

for (const columns of [120, 80, 60, 40]) {
  test(`at ${columns} columns nothing is wrapped, and loss and accuracy are whole`, async () => {
    const terminal = openTerminal(columns, 24);
    const seen: string[] = [];
    await show(terminal, async (round, client) => {
      if (round !== 2 || client !== 7) return;
      await redrawn();
      seen.push(...(await terminal.rows()));
    });
    const [round, client] = [/^round 1\/5 /, /^train client 7 /].map((name) =>
      seen.find((row) => name.test(row)),
    );
    assert.match(String(round), /accuracy 0\.9100 .*loss 1\.0000/);
    assert.match(String(client), /loss 0\.1234 .*acc 0\.9876/);
    assert.match(seen.join('\n'), /^train round 2\/5 .*20 clients/m);
    assert.deepEqual(seen, await terminal.lines().then(() => seen));
    for (const row of seen) assert.ok(row.length < columns, `${row.length} columns: ${row}`);
  });
}

test('resizes while it runs lose no finished line and leave nothing behind', async () => {
  const terminal = openTerminal(120, 40);
  const sizes = [
    [80, 24],
    [40, 24],
    [120, 40],
    [60, 12],
    [200, 50],
    [80, 24],
  ] as const;
  await show(terminal, async (round, client) => {
    const [columns, rows] = sizes[client] ?? [];
    if (round === 1 || columns === undefined || rows === undefined) return;
    await redrawn();
    await terminal.resize(columns, rows);
  });
  const lines = await terminal.lines();
  assert.equal(lines.length, 6, lines.join('\n'));
  for (const [at, line] of lines.slice(1).entries()) {
    assert.match(line, new RegExp(`^round ${at + 1}/5 +accuracy 0\\.9${at + 1}00 .*loss \\d\\.\\d{4}`));
  }
});

test('a real run on a real terminal, 80 columns: a line a round, none too long', async (t) => {
  if (process.platform !== 'linux') return t.skip("needs Linux' script");
  const data = await writeTinyDataset(directory, 108);
  const run = [process.execPath, programPath('cli'), 'run', '--data', data, '--model', 'mlp', '--simulate'];
  const more = ['--clients', '20', '--rounds', '5', '--batch', '2', '--volume', join(directory, 'volume')];
  const command = `stty cols 80 rows 24; ${[...run, ...more].join(' ')}`;
  const { stdout } = await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    stdin: 'ignore',
  });
  const terminal = openTerminal(80, 24);
  terminal.write(stdout);
  const lines = await terminal.lines();
  const rounds = lines.filter((line) => line.startsWith('round '));
  assert.deepEqual(
    rounds.map((line) => /^round (\d\/5) +accuracy \d\.\d{4} .*loss \d+\.\d{4} /.exec(line)?.[1]),
    ['1/5', '2/5', '3/5', '4/5', '5/5'],
    lines.join('\n'),
  );
  const names = lines.flatMap((line) => /^\w+/.exec(line)?.[0] ?? []);
  const stages = names.slice(0, names.indexOf('round'));
  assert.deepEqual(stages, ['Starting', 'split', 'init', 'train'], lines.join('\n'));
  for (const line of lines) assert.ok(line.length <= 80, line);
});

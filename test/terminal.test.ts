/** What a run looks like on a terminal: one line a round, whole figures at any width, nothing lost by a resize, its colours. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
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

/** What says whether there are colours. */
const COLOUR_VARIABLES = ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS', 'CI', 'COLORTERM'];

let directory = '';
before(async () => {
  // Whatever terminal the tests themselves run on, they open one that wraps its rows anew.
  for (const name of ['XTERM_VERSION', 'STY', ...COLOUR_VARIABLES]) delete process.env[name];
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
      const reported = clients.map((client) => ({ client, examples: 100, seconds: 1 }));
      return { reported, missing: [] };
    },
    async aggregate({ round }) {
      reporter.step(`aggregate         round ${round}: 19 updates, 1900 examples  0.1 s`);
      return { ...model, rejected: [{ client: 3, reason: 'not finite' }] };
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
      'round 1/5         accuracy 0.9100  loss 1.0000  19/20 clients  T s  T s left',
      'round 2/5         accuracy 0.9200  +0.0100  loss 0.5000  19/20 clients  T s',
      'round 3/5         accuracy 0.9300  +0.0100  loss 0.3333  19/20 clients  T s',
      'round 4/5         accuracy 0.9400  +0.0100  loss 0.2500  19/20 clients  T s',
      'round 5/5         accuracy 0.9500  +0.0100  loss 0.2000  19/20 clients  T s',
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
    assert.match(seen.join('\n'), /^run +best accuracy 0\.9100 in round 1/m);
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

test('the run has a line below its rounds: the best so far, and how long still', async () => {
  const terminal = openTerminal(80, 24);
  const seen: (readonly string[])[] = [];
  await show(terminal, async (_round, client) => {
    if (client !== 0) return;
    await redrawn();
    seen.push(await terminal.rows());
  });
  const standing = seen.map((rows) => rows.filter((row) => row.startsWith('run ')));
  assert.deepEqual(standing[0], []);
  for (const [at, lines] of standing.slice(1).entries()) {
    assert.equal(lines.length, 1, lines.join('\n'));
    const round = at + 1;
    assert.match(
      lines[0] ?? '',
      new RegExp(`^run +best accuracy 0\\.9${round}00 in round ${round}( +\\d+ s left)?$`),
    );
  }
  // Above what runs, below what is done.
  assert.deepEqual(
    seen.at(-1)?.map((row) => row.split(' ')[0]),
    ['Starting', 'round', 'round', 'round', 'round', 'run', 'train', 'train'],
  );
});

for (const { variables, isColoured } of [
  { variables: {}, isColoured: true },
  { variables: { NO_COLOR: '1' }, isColoured: false },
  { variables: { FORCE_COLOR: '0' }, isColoured: false },
  { variables: { FORCE_COLOR: '1', TERM: 'dumb' }, isColoured: true },
]) {
  const what = JSON.stringify(variables);
  test(`with ${what} a terminal shows ${isColoured ? '' : 'no '}colours, and the same text`, async (t) => {
    Object.assign(process.env, variables);
    t.after(() => {
      for (const name of Object.keys(variables)) delete process.env[name];
      process.env.TERM = 'xterm-256color';
    });
    const terminal = openTerminal(80, 24);
    const reporter = await createHumanReporter(terminal.stream);
    reporter.warn('look out');
    await show(terminal);
    const painted = await terminal.painted();
    const rows = await terminal.rows();
    assert.equal(rows[0], 'warning: look out');
    assert.equal(rows.filter((row) => /^round \d\/5 +accuracy 0\.9\d00 /.test(row)).length, 5);
    if (!isColoured) return assert.deepEqual(painted, []);
    assert.equal(painted[0], 'warning:');
    for (const piece of ['accuracy 0.9500', '+0.0100', '19/20 clients'])
      assert.ok(painted.includes(piece), piece);
  });
}

test('what is no terminal gets no colours, unless they are asked for', async (t) => {
  t.after(() => delete process.env.FORCE_COLOR);
  const written: string[] = [];
  const stream = Object.assign(new EventEmitter(), { write: (text: string) => written.push(text) > 0 });
  const warn = async () =>
    (await createHumanReporter(stream as unknown as NodeJS.WriteStream)).warn('look out');
  await warn();
  process.env.FORCE_COLOR = '1';
  await warn();
  assert.deepEqual(written, ['warning: look out\n', '\u001B[33mwarning:\u001B[39m look out\n']);
});

test('a real run on a real terminal, 80 columns: a line a round, none too long', async (t) => {
  if (process.platform !== 'linux') return t.skip("needs Linux' script");
  const data = await writeTinyDataset(directory, 108);
  const run = [process.execPath, programPath('cli'), 'run', '--data', data, '--model', 'mlp', '--simulate'];
  const more = ['--clients', '20', '--rounds', '5', '--batch', '2', '--volume', 'volume'];
  const command = `stty cols 80 rows 24; ${[...run, ...more].join(' ')}`;
  const { stdout } = await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    ...{ stdin: 'ignore', cwd: directory },
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

/** A command of the user's own on all clients of this machine: what it is told, what is gathered, what becomes of failures. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { runOnClients, StageError, ThresholdError, UsageError } from 'fedbatch';
import type { EachResult } from '../lib/formats/stage-results.js';
import { writeTinyDataset } from './datasets.js';
import { isRunning } from './processes.js';
import { runCommand } from './program-host.js';
import { lastLine, programPath, runProgramFile } from './programs.js';
import { requireValid } from './results.js';
import { sharedDirectory } from './temporary-directory.js';

let directory: string;
const path = (name: string) => join(directory, name);
const node = (script: string, ...words: readonly string[]) => [process.execPath, '-e', script, ...words];
const each = (flags: readonly string[], command: readonly string[]) =>
  runCommand('each', [...flags, '--', ...command], { cwd: directory });
const resultsOf = ({ stdout }: { readonly stdout: string }): EachResult['results'] =>
  (JSON.parse(lastLine(stdout)) as EachResult).results;
const valuesOf = (found: { readonly stdout: string }) =>
  resultsOf(found).map((one) => ('reason' in one ? one.reason : one.result));
/** Client 1 fails; the others say who they are. */
const ONE_FAILS = `if (process.env.FEDBATCH_RANK === '1') { console.error('no luck'); process.exit(2); }
  console.log(process.env.FEDBATCH_RANK)`;

before(async () => {
  directory = sharedDirectory();
  const data = await writeTinyDataset(directory, 60);
  const split = await runCommand('split', ['--data', data, '--clients', '3', '--out', path('data')]);
  assert.equal(split.exitCode, 0, split.stderr);
});

describe('a command on all clients', () => {
  it('is told what is the client’s, in its environment and its words, and leaves its results in order', async () => {
    const script = `const { FEDBATCH_RANK: rank, FEDBATCH_SIZE: size, FEDBATCH_SHARD: shard, FEDBATCH_SCRATCH: scratch } = process.env;
      const { existsSync, writeFileSync } = require('node:fs');
      console.log('client', rank, 'speaks');
      // The first one is the last one to end.
      setTimeout(() => writeFileSync(process.argv[2], JSON.stringify({ rank, size, shard, words: process.argv.slice(1),
        hasShard: existsSync(shard), hasScratch: existsSync(scratch), isLogged: 'FEDBATCH_LOG_FORMAT' in process.env })), rank === '0' ? 400 : 0);`;
    const words = ['{rank}of{size}:{shard}', '{result}', '--my_flag', '--debug', '{other}'];
    const found = await each(['--data', 'data', '--jobs', '3', '--json'], node(script, ...words));
    assert.equal(found.exitCode, 0, found.stderr);
    const values = valuesOf(found) as readonly Readonly<Record<string, unknown>>[];
    for (const [rank, value] of values.entries()) {
      const shard = path(`data/${rank}.npz`);
      const { words: given, ...told } = value;
      const facts = { hasShard: true, hasScratch: true, isLogged: false };
      assert.deepEqual(told, { rank: `${rank}`, size: '3', shard, ...facts });
      const [first, , ...others] = given as readonly string[];
      assert.deepEqual([first, ...others], [`${rank}of3:${shard}`, '--my_flag', '--debug', '{other}']);
    }
    assert.equal(values.length, 3);
    assert.match(found.stderr, /each client 2: client 2 speaks/);
    const left = (await readdir(tmpdir())).filter((name) => name.startsWith('fedbatch-each-'));
    assert.ok(!left.some((name) => JSON.stringify(values).includes(name)), 'nothing is left behind');
  });

  it('has what it prints as its result, where it writes none: JSON, else the text', async () => {
    const script = `console.log(['{"n":', '7', ''][process.env.FEDBATCH_RANK] ?? '');
      if (process.env.FEDBATCH_RANK === '0') console.log('2}')`;
    const found = await each(['--clients', '3', '--json'], node(script));
    assert.deepEqual(valuesOf(found), [{ n: 2 }, 7, null]);
    const told = await each(['--clients', '2'], node('console.log("a b")'));
    assert.match(told.stdout, /^client 0 {2}\S+ s? *"a b"\nclient 1 {2}/);
  });

  it('ends all with the first that fails', async () => {
    const script = `${ONE_FAILS}; if (process.env.FEDBATCH_RANK === '2')
      setTimeout(() => require('node:fs').writeFileSync(process.argv[1], ''), 60_000)`;
    const found = await each(['--clients', '3', '--jobs', '3'], node(script, path('late')));
    assert.equal(found.exitCode, 5, found.stderr);
    assert.match(found.stderr, /each client 1: \S+: ended with exit code 2: no luck/);
    assert.ok(!existsSync(path('late')));
  });

  it('tolerates so many failures as the quorum does', async () => {
    const found = await each(['--clients', '3', '--quorum', '2', '--json'], node(ONE_FAILS));
    assert.equal(found.exitCode, 0, found.stderr);
    const [zero, one, two] = valuesOf(found);
    assert.deepEqual([zero, two], [0, 2]);
    assert.match(`${one}`, /ended with exit code 2: no luck/);
    const missed = await each(['--clients', '3', '--quorum', '100%'], node(ONE_FAILS));
    assert.equal(missed.exitCode, 4);
    assert.match(
      missed.stderr,
      /The quorum is missed: 3 of 3 clients have to succeed, and 1 cannot any more: client 1 \(.*no luck\)/,
    );
  });

  it('is retried as often as is asked for', async () => {
    const script = `const { existsSync, writeFileSync } = require('node:fs'), mark = process.argv[1];
      if (existsSync(mark)) console.log('again'); else { writeFileSync(mark, ''); process.exit(1); }`;
    const found = await each(
      ['--clients', '1', '--retries', '1', '--json'],
      node(script, path('tried-{rank}')),
    );
    assert.deepEqual(valuesOf(found), ['again']);
    assert.match(found.stderr, /each client 0: .*ended with exit code 1: retry 1 of 1/);
  });

  it('is ended where it takes too long, with all that it has started', async () => {
    const command = ['sh', '-c', `sleep 600 & echo $! > ${path('sleeper')}; wait`];
    const found = await each(['--clients', '1', '--timeout', '1'], command);
    assert.equal(found.exitCode, 5, found.stderr);
    assert.match(found.stderr, /each client 0: sh: late: not done within 1 s/);
    assert.ok(!isRunning(Number(readFileSync(path('sleeper'), 'utf8'))));
    // What a command leaves behind does not hold it up.
    const left = ['sh', '-c', `sleep 600 & echo $! > ${path('left')}`];
    assert.equal((await each(['--clients', '1'], left)).exitCode, 0);
    assert.ok(!isRunning(Number(readFileSync(path('left'), 'utf8'))));
  });

  it('has failed where it is not started in time', async () => {
    const flags = ['--clients', '2', '--jobs', '1', '--start-timeout', '0.3', '--quorum', '1', '--json'];
    const found = await each(flags, node('setTimeout(() => console.log("done"), 500)'));
    assert.deepEqual(valuesOf(found), ['done', 'late: not started within 0.3 s']);
  });

  it('is refused in one sentence where it cannot be', async () => {
    await mkdir(path('empty'), { recursive: true });
    await mkdir(path('lacks'), { recursive: true });
    for (const [flags, command, code, sentence] of [
      [['--clients', '2'], ['no-such-program'], 2, /no-such-program: expected a program .*, found ENOENT/],
      [['--clients', '2'], node('0', '{shard}'), 2, /names \{shard\}, and the clients have none/],
      [[], node('0'), 2, /Expected the directory of shards or the number of clients, found neither/],
      [['--clients', '2'], [], 2, /missing required argument 'command'/],
      [
        ['--data', 'data', '--clients', '4'],
        node('0'),
        2,
        /Expected at most 3 clients, the shards in data, found 4/,
      ],
      [['--clients', '2', '--quorum', '3'], node('0'), 2, /A quorum of 3 is more than all clients/],
      [['--clients', '2', '--quorum', 'most'], node('0'), 2, /--quorum.*expected a number of updates/i],
      [['--data', 'empty'], node('0'), 3, /empty: expected a shard for each client, .*, found none/],
      [
        ['--clients', '1'],
        node('require("node:fs").writeFileSync(process.env.FEDBATCH_RESULT, "{")'),
        5,
        /expected JSON in FEDBATCH_RESULT/,
      ],
      [
        ['--clients', '1'],
        node(
          'require("node:fs").writeFileSync(process.env.FEDBATCH_RESULT, JSON.stringify("a".repeat(2 ** 20)))',
        ),
        5,
        /the command wrote 1048578 bytes, more than the 1 MiB that a result may have/,
      ],
    ] as const) {
      const { exitCode, stderr } = await each(flags, command);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /bug/);
    }
  });

  it('is interrupted with the program', async () => {
    const script = `require('node:fs').writeFileSync(process.argv[1], \`\${process.pid}\`); setTimeout(() => 0, 600_000)`;
    const marks = [path('pid-0'), path('pid-1')];
    const words = ['each', '--clients', '2', '--jobs', '2', '--', ...node(script, path('pid-{rank}'))];
    const program = execa(process.execPath, [programPath('cli'), ...words], { reject: false });
    const isThere = (mark: string) => existsSync(mark) && readFileSync(mark, 'utf8') !== '';
    while (!marks.every(isThere) && program.exitCode === null) await delay(20);
    program.kill('SIGINT');
    const { exitCode, stderr } = await program;
    assert.equal(exitCode, 130, stderr);
    assert.match(stderr, /Interrupted/);
    for (const mark of marks) assert.ok(!isRunning(Number(readFileSync(mark, 'utf8'))));
  });
});

describe('a command on all clients of somebody else', () => {
  it('goes out as tasks, and what comes back is gathered as from here', async () => {
    const words = ['each', '--clients', '3', '--quorum', '2', '--runners', 'pipe', '--', ...node(ONE_FAILS)];
    const program = execa(process.execPath, [programPath('cli'), ...words], { reject: false, stdin: 'pipe' });
    let result = '';
    for await (const line of createInterface({ input: program.stdout })) {
      const request = JSON.parse(line);
      if (request.event !== 'each') {
        result = line;
        continue;
      }
      requireValid('training-tasks', request);
      for (const { id, command } of request.tasks) {
        const { exitCode, stdout, stderr } = await runProgramFile('cli', command);
        const ending = { id, exitCode, stdout: stdout.split('\n'), stderr: stderr.split('\n') };
        program.stdin.write(`${JSON.stringify(ending)}\n`);
      }
    }
    const { exitCode, stderr } = await program;
    assert.equal(exitCode, 0, stderr);
    const [zero, one, two] = valuesOf({ stdout: result });
    assert.deepEqual([zero, two], [0, 2]);
    assert.match(`${one}`, /no luck/);
  });
});

describe('as-client', () => {
  it('runs the command as one of them, as a scheduler would', async () => {
    const flags = ['--size', '9', '--shard', path('data/{client}.npz')];
    const command = node('console.log(JSON.stringify(process.argv.slice(1)))', '{rank}', '{shard}');
    const as2 = ['--client', '2', '--timeout', '32.3'];
    const one = await runCommand('as-client', [...flags, ...as2, '--', ...command]);
    assert.equal(one.exitCode, 0, one.stderr);
    const { client, result } = JSON.parse(lastLine(one.stdout));
    assert.deepEqual([client, result], [2, ['2', path('data/2.npz')]]);
    const json = ['--command', JSON.stringify(command), '--client-index', '1'];
    const other = await runCommand('as-client', [...flags, ...json]);
    assert.deepEqual(JSON.parse(lastLine(other.stdout)).result, ['1', path('data/1.npz')]);
    for (const [more, code, sentence] of [
      [['--client', '9', '--', 'true'], 2, /--client: expected less than --size 9, found 9/],
      [['--client', '7', '--', 'true'], 3, /7\.npz: expected the shard of client 7, found none/],
      [['--', 'true'], 2, /Expected --client or --client-index/],
      [['--client', '1'], 2, /Expected a command behind --, found none/],
      [['--client', '1', '--timeout', '3e6', '--', 'true'], 2, /above 0, up to 2147483, found "3e6"/],
      [['--client', '1', '--command', 'true'], 2, /--command: expected words as JSON/],
    ] as const) {
      const { exitCode, stderr } = await runCommand('as-client', [...flags, ...more]);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, sentence);
    }
  });
});

describe('runOnClients', () => {
  it('calls a function as each client, and gives what it returns in order', async () => {
    const module = path('work.mjs');
    await writeFile(
      module,
      `import { stat } from 'node:fs/promises';
      export default async ({ rank, size, shard, scratch }) =>
        ({ share: rank / size, bytes: (await stat(shard)).size, isDirectory: (await stat(scratch)).isDirectory() });`,
    );
    const { clients, results } = await runOnClients({ module, data: path('data') });
    assert.equal(clients, 3);
    for (const [rank, each] of results.entries()) {
      assert.ok('result' in each);
      const bytes = readFileSync(path(`data/${rank}.npz`)).length;
      assert.deepEqual([each.client, each.result], [rank, { share: rank / 3, bytes, isDirectory: true }]);
    }
  });

  it('rejects with what went wrong, without flags, and with the reason of its signal', async () => {
    const failing = { command: node(ONE_FAILS), clients: 3 };
    await assert.rejects(runOnClients(failing), (error: Error) => {
      assert.ok(error instanceof StageError);
      assert.match(error.message, /each client 1: .*no luck/);
      return true;
    });
    await assert.rejects(runOnClients({ ...failing, quorum: 3 }), ThresholdError);
    assert.equal((await runOnClients({ ...failing, quorum: '60%' })).results.length, 3);
    for (const [options, sentence] of [
      [{ clients: 2 }, /either command or module/],
      [{ command: ['true'] }, /Expected the directory of shards or the number of clients, found neither/],
      [{ command: ['true'], clients: 0 }, /clients: expected a whole number of at least 1, found 0/],
      [{ command: ['true'], clients: 1, quorum: 'most' }, /^quorum: expected a number/],
      [{ command: ['true'], clients: 1, timeoutSeconds: -1 }, /^timeoutSeconds: expected a number above 0/],
      [{ command: ['true'], clients: 1, timeout: 1 } as object, /timeout/],
    ] as const)
      await assert.rejects(runOnClients(options), (error: Error) => {
        assert.ok(error instanceof UsageError, `${error}`);
        assert.match(error.message, sentence);
        return true;
      });
    const stop = new AbortController();
    const stopped = runOnClients({
      command: node('setTimeout(() => 0, 600_000)'),
      clients: 1,
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(new Error('enough')), 300);
    await assert.rejects(stopped, /enough/);
  });
});

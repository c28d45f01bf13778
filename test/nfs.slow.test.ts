/** Jobs on a real NFS server with real clients: the slow tier, in the system that scripts/test-nfs.sh boots. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { volumePaths } from '../lib/formats/volume.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  type StageCommand,
  splitCommand,
  trainCommand,
} from '../pipeline/commands/stage-commands.js';
import { writeTinyDataset } from './datasets.js';
import {
  type Client,
  freeOnSmall,
  resizeSmall,
  SERVED,
  SMALL,
  startClient,
  stopServer,
  testProgram,
} from './nfs-clients.js';
import { type Finished, lastLine, programPath } from './programs.js';
import { eventsOf, type ResultLine, waitFor } from './runs.js';
import { settingsFromFlags } from './settings.js';

const skip =
  process.env.FEDBATCH_NFS_SERVER === undefined && 'scripts/test-nfs.sh boots the system that has the server';

/** Where clients have the server's files: as people mount them, and with names that are remembered for ten minutes. */
const MOUNTED = '/mnt/nfs';
const LASTING = '/mnt/lasting';
const OPTIONS = 'vers=4.2,hard';

const CLIENTS = [0, 1];
const settingsFlags = (data: string): readonly string[] => [
  ...['--data', data, '--clients', `${CLIENTS.length}`, '--rounds', '2', '--model', 'mlp'],
  ...['--epochs', '1', '--batch', '30', '--seed', '5'],
];

describe('jobs on NFS', { skip }, () => {
  let a: Client;
  let b: Client;
  let expected: string;

  /** What runs the job that is done everywhere, on a volume below a mount. */
  const runFlags = (volume: string, { mount = MOUNTED, data = MOUNTED } = {}) => [
    ...[
      programPath('cli'),
      'run',
      '--volume',
      join(mount, volume),
      '--json',
      '--threads',
      '1',
      '--jobs',
      '1',
    ],
    ...settingsFlags(join(data, 'tiny.npz')),
  ];
  const node = (client: Client, ...args: readonly string[]) => client.run(process.execPath, args);
  const onFile = async (client: Client, ...args: readonly string[]): Promise<Record<string, number>> =>
    JSON.parse(await wellDone(node(client, testProgram('shared-file'), ...args))) as Record<string, number>;
  /** What one client tells that looks for a file which the other writes once the first has looked in vain. */
  const foundAfter = async (way: string, file: string, seconds: number): Promise<string> => {
    const looking = startOnFile(b, way, file, `${seconds}`);
    await new Promise((resolve) => looking.stderr?.once('data', resolve));
    await onFile(a, 'write', file, '0.01');
    return ((await looking).stdout as string).trim();
  };
  const startOnFile = (client: Client, ...args: readonly string[]) =>
    client.start(process.execPath, [testProgram('shared-file'), ...args]);

  before(async () => {
    await writeTinyDataset(SERVED, 240);
    a = await startClient('client-a');
    b = await startClient('client-b');
    for (const client of [a, b]) {
      await client.mount(SERVED, MOUNTED, OPTIONS);
      await client.mount(SERVED, LASTING, `${OPTIONS},acdirmin=600,acdirmax=600,nosharecache`);
    }
    const local = await mountlessRun();
    expected = local.sha256;
    console.log(`local run: ${expected}`);
  });

  after(async () => {
    await Promise.all([a?.crash(), b?.crash()]);
  });

  it('stages on two clients end with the bytes of a local run', async () => {
    assert.equal(await byStages(join(MOUNTED, 'stages')), expected);
  });

  it('a name that a client has looked for before its file was there is found at once', async (t) => {
    const file = join(LASTING, 'late');
    const missed = await foundAfter('find', file, 15);
    t.diagnostic(`with acdirmin=600, in 15 s: ${missed}`);
    assert.equal(missed, '{}', 'the client remembers that there was no such name');
    assert.deepEqual(await onFile(b, 'ask', file), { name: false, asked: true, listed: true });
  });

  for (const way of ['find', 'list']) {
    it(`how long a client does not ${way} a new file by default`, async (t) => {
      t.diagnostic(`after the first look: ${await foundAfter(way, join(MOUNTED, `late-to-${way}`), 100)}`);
    });
  }

  it('stages find what the other client makes, although theirs has looked for it before', async () => {
    assert.equal(await byStages(join(LASTING, 'looked-for'), { isLookedFor: true }), expected);
  });

  it('an update that a client does not list yet is not left out', async () => {
    const volume = join(LASTING, 'unlisted');
    const paths = volumePaths(volume);
    const { settings } = settingsFromFlags(settingsFlags(join(MOUNTED, 'tiny.npz')));
    const source = { settings, paths, threads: 1 };
    await stage(a, splitCommand(source));
    await stage(a, initCommand(source));
    await stage(b, trainCommand(source, { round: 1, clients: CLIENTS }, 0));
    const listed = await b.run('ls', [paths.round(1).updates]);
    assert.equal(listed.stdout.trim(), '0.h5');
    await stage(a, trainCommand(source, { round: 1, clients: CLIENTS }, 1));
    const { stdout } = await stage(
      b,
      aggregateCommand(source, { round: 1, clients: CLIENTS }, { minUpdates: 1 }),
    );
    assert.equal((JSON.parse(lastLine(stdout)) as { readonly updates: number }).updates, 2);
  });

  for (const version of ['4.2', '3']) {
    it(`a file that is replaced again and again is always read whole, by NFS ${version}`, async (t) => {
      const mount = `/mnt/version-${version}`;
      for (const client of [a, b]) {
        await client.mount(
          SERVED,
          mount,
          `vers=${version},hard,nosharecache${version === '3' ? ',nolock' : ''}`,
        );
      }
      const file = join(mount, `replaced-${version}`);
      await onFile(a, 'write', file, '0.01');
      const [{ writes = 0 }, seen] = await Promise.all([
        onFile(a, 'write', file, '15'),
        onFile(b, 'read', file, '15'),
      ]);
      t.diagnostic(`${writes} writes, reads: ${JSON.stringify(seen)}`);
      assert.ok(writes > 2);
      const { a: first = 0, b: second = 0, ...others } = seen;
      assert.deepEqual(others, {});
      assert.ok(first > 0 && second > 0);
    });
  }

  it('two clients that want one lock hold it in turn', async (t) => {
    const lock = join(MOUNTED, '.lock-of-both');
    const both = await Promise.all([onFile(a, 'contend', lock, '15'), onFile(b, 'contend', lock, '15')]);
    t.diagnostic(JSON.stringify(both));
    assert.ok(both.every(({ times = 0 }) => times > 0));
  });

  it('a run on one client, seen from the other', async (t) => {
    const volume = join(MOUNTED, 'seen');
    const running = a.start(process.execPath, runFlags('seen'));
    await waitForEvents('seen', 'start');
    const refused = await node(b, ...runFlags('seen'));
    assert.equal(refused.exitCode, 2, refused.stderr);
    assert.match(
      refused.stderr,
      /in use by another run \(process \d+ on host client-a, since [^)]+\): if that process is no more, delete \S+\.lock and run the command again/,
    );
    const status = await node(b, programPath('cli'), 'status', volume, '--json');
    assert.match(status.stdout, /"host":"client-a"/, status.stderr);
    t.diagnostic(`status while it ran: ${/"state":"\w+"/.exec(status.stdout)}`);
    const port = 5050;
    // It goes with its client.
    b.start(process.execPath, [programPath('cli'), 'watch', volume, '--port', `${port}`]);
    const following = b.start(process.execPath, [programPath('cli'), 'logs', volume, '--follow', '--json']);
    const { exitCode, stdout, stderr } = await running;
    const endedAt = performance.now();
    assert.equal(exitCode, 0, stderr as string);
    assert.equal((JSON.parse(lastLine(stdout as string)) as ResultLine).sha256, expected);
    const told = (await following).stdout as string;
    t.diagnostic(`logs --follow ended ${seconds(endedAt)} s after the run`);
    assert.equal(told.trimEnd(), (await readFile(join(SERVED, 'seen', 'metrics.jsonl'), 'utf8')).trimEnd());
    const page = `const text = await (await fetch('http://127.0.0.1:${port}/runs/seen')).text(); process.stdout.write(text)`;
    for (;;) {
      const { stdout: shown } = await node(b, '--input-type=module', '-e', page);
      if (/class="badge [a-z]+">done</.test(shown)) break;
      assert.ok(performance.now() - endedAt < 120_000, shown.slice(0, 2000));
      await sleep(1000);
    }
    t.diagnostic(`the live page said so within ${seconds(endedAt)} s`);
    const after = await node(b, programPath('cli'), 'status', volume, '--json');
    assert.match(after.stdout, /"state":"finished"/);
  });

  it('the server stops for ten seconds in the middle of a run, and forgets its clients', async (t) => {
    const running = a.start(process.execPath, runFlags('restarted'));
    await waitForEvents('restarted', 'round');
    const start = await stopServer();
    await sleep(10_000);
    await start();
    await completes(await running, t);
    await completes(await node(b, ...runFlags('restarted')), t);
  });

  it('a mount that gives up: the run fails clearly, and the same command completes it', async (t) => {
    const mount = '/mnt/soft';
    await a.mount(SERVED, mount, 'vers=4.2,soft,timeo=10,retrans=1,nosharecache');
    const running = a.start(process.execPath, runFlags('given-up', { mount }));
    await waitForEvents('given-up', 'round');
    const start = await stopServer();
    const stoppedAt = performance.now();
    const { exitCode, stderr } = await running;
    t.diagnostic(`exit ${exitCode} after ${seconds(stoppedAt)} s: ${lastLine(stderr as string)}`);
    await start();
    assert.ok(exitCode === 3 || exitCode === 5, `${exitCode}: ${stderr}`);
    assert.doesNotMatch(stderr as string, /this is a bug/);
    await completes(await node(a, ...runFlags('given-up', { mount })), t);
  });

  it('a file system that is full only when a file is closed: the run says so, and goes on when there is room', async (t) => {
    await a.mount(SMALL, '/mnt/small', 'vers=4.2,hard');
    let full = 0;
    for (let size = 40; ; size += 60) {
      await resizeSmall(`${size}k`);
      const ended = await node(a, ...runFlags('full', { mount: '/mnt/small' }));
      if (ended.exitCode === 0) {
        await completes(ended, t);
        break;
      }
      full += 1;
      t.diagnostic(`${size} kB: exit ${ended.exitCode}: ${lastLine(ended.stderr)}`);
      assert.equal(ended.exitCode, 3, ended.stderr);
      assert.match(ended.stderr, /the disk is full \(ENOSPC\)/);
      assert.ok(size < 2000, `${await freeOnSmall()} bytes are free`);
    }
    assert.ok(full >= 3);
  });

  it('a client that is gone leaves a lock: the other says what to do, and completes the run', async (t) => {
    const running = a.start(process.execPath, runFlags('taken-over'));
    await waitForEvents('taken-over', 'round');
    await a.crash();
    await running;
    const refused = await node(b, ...runFlags('taken-over'));
    assert.equal(refused.exitCode, 2, refused.stderr);
    const advice =
      /on host client-a, since [^)]+\): if that process is no more, delete (\S+) and run the command again/;
    const [, lock = ''] = advice.exec(refused.stderr) ?? [];
    assert.notEqual(lock, '', refused.stderr);
    t.diagnostic(lastLine(refused.stderr));
    await wellDone(b.run('rm', [lock]));
    await completes(await node(b, ...runFlags('taken-over')), t);
  });

  /** The run that nothing disturbs, on the server itself. */
  async function mountlessRun(): Promise<ResultLine> {
    const { stdout } = await execa(process.execPath, runFlags('local', { mount: '/mnt/home', data: SERVED }));
    return JSON.parse(lastLine(stdout)) as ResultLine;
  }

  /** The job by its stages, each on the client that did not do the one before: sha256 of the last model, as both see it. */
  async function byStages(volume: string, { isLookedFor = false } = {}): Promise<string> {
    const paths = volumePaths(volume);
    const { settings } = settingsFromFlags(settingsFlags(join(MOUNTED, 'tiny.npz')));
    const source = { settings, paths, threads: 1 };
    const { rounds } = settings.federation;
    /** What the other client will need, it has looked for: all the way down, as programs do that ask whether work is done. */
    const look = async (client: Client) => {
      if (!isLookedFor) return;
      const names = [
        paths.data,
        paths.rounds,
        paths.manifest,
        paths.test,
        ...CLIENTS.map((each) => paths.shard(each)),
      ];
      for (let round = 1; round <= rounds + 1; round++) {
        const { root, updates, globalModel } = paths.round(round);
        names.push(root, updates, globalModel, ...CLIENTS.map((each) => paths.round(round).update(each)));
      }
      await client.run('sh', [
        '-c',
        `ls ${volume} ${paths.data} ${paths.rounds}; for name; do [ -e "$name" ]; done`,
        'look',
        ...names,
      ]);
    };
    await a.run('mkdir', ['-p', volume]);
    await look(b);
    await stage(a, splitCommand(source));
    await look(a);
    await stage(b, initCommand(source));
    for (let round = 1; round <= rounds; round++) {
      const selection = { round, clients: CLIENTS };
      await Promise.all([
        stage(a, trainCommand(source, selection, round % 2)),
        stage(b, trainCommand(source, selection, 1 - (round % 2))),
      ]);
      await look(a);
      await stage(b, aggregateCommand(source, selection, { minUpdates: CLIENTS.length }));
      const model = paths.round(round + 1).globalModel;
      await stage(a, evaluateCommand(source, { models: [model], round, threads: 1 }));
      await look(b);
    }
    const last = paths.round(rounds + 1).globalModel;
    const sums = await Promise.all([a, b].map((client) => wellDone(client.run('sha256sum', [last]))));
    assert.equal(sums[0], sums[1]);
    return sums[0]?.split(' ')[0] ?? '';
  }

  async function stage(client: Client, command: StageCommand): Promise<Finished> {
    const program = programPath(command.program.replace(/\.js$/, '') as Parameters<typeof programPath>[0]);
    const ended = await node(client, program, ...command.arguments);
    assert.equal(ended.exitCode, 0, `${command.stage} on ${client.name}: ${ended.stderr}`);
    return ended;
  }

  async function wellDone(running: Promise<Finished>): Promise<string> {
    const { exitCode, stdout, stderr } = await running;
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  async function completes(
    ended: { readonly exitCode?: number | undefined; readonly stdout?: unknown; readonly stderr?: unknown },
    t: TestContext,
  ) {
    assert.equal(ended.exitCode, 0, String(ended.stderr));
    assert.equal((JSON.parse(lastLine(String(ended.stdout))) as ResultLine).sha256, expected);
    t.diagnostic('the bytes of the local run');
  }

  /** Waits for an event of a run, as the server has it. */
  async function waitForEvents(volume: string, name: string): Promise<void> {
    const has = () => {
      try {
        return eventsOf(join(SERVED, volume), name).length > 0;
      } catch {
        return false;
      }
    };
    await waitFor(has);
  }

  const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);
});

/** The laws of the fault simulator find what they are there for: each breach is planted here once. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary-directory.js';
import type { Job } from './jobs.js';
import {
  endBreaches,
  endingBreaches,
  finishedFiles,
  idleBreaches,
  repeatedBreaches,
  visibleBreaches,
} from './laws.js';
import { drawJob, drawSchedule, type Fault, tellFault } from './schedule.js';
import type { Session } from './session.js';
import { readTree, type VolumeTree } from './volume-tree.js';

const FILES: Readonly<Record<string, string>> = {
  'aggregated-model.h5': 'a model',
  'accuracy.json': '{"accuracy":0.5,"seconds":1}',
  'report.html': '<html></html>\n',
  'metrics.jsonl': '',
};

async function treeOf(directory: string, files: Readonly<Record<string, string>>): Promise<VolumeTree> {
  await rm(directory, { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return await readTree(directory);
}

const jobOf = (end: VolumeTree): Job => ({
  ...{ name: 'run', isRun: true, args: () => [], end },
  starts: [0, 120, 300].map((operations) => ({ directory: '', operations })),
  operations: Array.from({ length: 300 }, (_, index) => ({
    ...{ number: index + 1, process: 1, program: 'cli.js', path: 'a', to: '', inode: 0, rule: -1 },
    kind: index % 50 === 0 ? 'rename' : 'write',
  })),
  versions: new Map([...end].map(([path, { meaning }]) => [path, new Set([meaning])])),
});

test('an undisturbed end breaches nothing, and each difference is told with its file', async (t) => {
  const directory = await temporaryDirectory(t);
  const end = await treeOf(directory, FILES);
  const job = jobOf(end);
  const of = async (changes: Readonly<Record<string, string>>) =>
    endBreaches(await treeOf(directory, { ...FILES, ...changes }), job);
  assert.deepEqual(await of({}), []);
  assert.deepEqual(await of({ 'accuracy.json': '{"accuracy":0.5,"seconds":2}' }), [], 'times differ');
  for (const [path, text] of [
    ['aggregated-model.h5', 'another'],
    ['accuracy.json', '{"accuracy":0.6,"seconds":1}'],
    ['accuracy.json', '{"accuracy":0.5,'],
    ['report.html', '<html>'],
    ['metrics.jsonl', 'no event\n'],
    ['.tmp-report.html-12ab', ''],
    ['.lock', ''],
    ['data/.split-in-progress', ''],
  ] as const) {
    const breaches = await of({ [path]: text });
    assert.ok(
      breaches.length > 0 && breaches.every((breach) => breach.includes(path)),
      `${path}: ${breaches}`,
    );
  }
  assert.deepEqual(endBreaches(new Map(), job).length, Object.keys(FILES).length);
});

test('what readers could mistake is found, and what they pass over is not', async (t) => {
  const directory = await temporaryDirectory(t);
  const job = jobOf(await treeOf(directory, FILES));
  const of = async (files: Readonly<Record<string, string>>, struck: readonly string[] = []) =>
    visibleBreaches(await treeOf(directory, files), job, new Set(struck));
  assert.deepEqual(await of({ '.tmp-x-12ab': 'half', 'metrics.jsonl': '{"ha' }), []);
  assert.deepEqual(await of({ 'aggregated-model.h5': 'a mod' }, ['aggregated-model.h5']), []);
  for (const [path, text] of [
    ['aggregated-model.h5', 'a mod'],
    ['accuracy.json', '{"accur'],
    ['metrics.jsonl', '{"ha\n{"ha'],
    ['left-over', ''],
  ] as const)
    assert.equal((await of({ [path]: text })).length, 1, path);
});

test('finished work that is done again, and a finished run that changes, is found', async (t) => {
  const directory = await temporaryDirectory(t);
  const before = await treeOf(directory, FILES);
  assert.deepEqual(finishedFiles(before), [], 'no record vouches for anything');
  await appendFile(join(directory, 'accuracy.json'), ' ');
  await appendFile(join(directory, 'metrics.jsonl'), '\n');
  const after = await readTree(directory);
  assert.equal(idleBreaches(before, before).length, 0);
  assert.match(idleBreaches(before, after).join(), /^expected accuracy\.json of a finished run/);
  assert.equal(repeatedBreaches(['report.html'], before, after).length, 0);
  assert.match(repeatedBreaches(['accuracy.json'], before, after).join(), /accuracy\.json.*written again/);
});

test('a session ends as its faults allow, with clear sentences', () => {
  const full: Fault = { kind: 'errno', errno: 'ENOSPC', at: 1, times: 1 };
  const kill: Fault = { kind: 'kill', who: 'first', how: 'before', isAtOnce: false, at: 1 };
  const of = (session: Partial<Session>, faults: readonly Fault[]) =>
    endingBreaches(
      {
        exitCode: 0,
        signal: undefined,
        isTimedOut: false,
        stderr: '',
        operations: [],
        processes: [],
        ...session,
      },
      faults,
    ).length;
  const told = 'error: x.h5: could not be written: the disk is full (ENOSPC).';
  assert.equal(of({}, []), 0);
  assert.equal(of({ exitCode: 3, stderr: told }, [full]), 0);
  assert.equal(of({ exitCode: undefined, signal: 'SIGKILL' }, [kill]), 0);
  const overtaken = 'error: /data: another split has begun there since, and this one writes nothing more.';
  assert.equal(of({ exitCode: 5, stderr: overtaken }, [{ kind: 'second', at: 1 }]), 0);
  assert.equal(of({ exitCode: 5, stderr: overtaken }, [full]), 1);
  assert.equal(of({ exitCode: 5, stderr: told }, [{ kind: 'second', at: 1 }]), 1);
  assert.equal(of({ exitCode: 3, stderr: told }, []), 1);
  assert.equal(of({ exitCode: 3, stderr: 'error: something.' }, [full]), 1);
  assert.equal(of({ exitCode: 3 }, [full]), 2);
  assert.equal(of({ exitCode: 1, stderr: `${told} (this is a bug in fedbatch)` }, [full]), 2);
  assert.equal(of({ exitCode: 3, stderr: 'error: Unknown system error -116 (ENOSPC)' }, [full]), 1);
  assert.equal(of({ exitCode: undefined, signal: 'SIGSEGV' }, [kill]), 1);
  assert.equal(of({ isTimedOut: true }, [kill]), 1);
});

test('a seed draws the same schedule again; seeds draw all kinds of faults, within what is left to do', () => {
  const job = jobOf(new Map());
  const kinds = new Map<string, number>();
  for (let seed = 1; seed <= 400; seed++) {
    const schedule = drawSchedule(seed, job, 0.5);
    assert.deepEqual(schedule, drawSchedule(seed, job, 0.5));
    assert.equal(drawJob(seed), drawJob(seed));
    const left = Math.max(40, (300 - (job.starts[schedule.start]?.operations ?? 0)) * 1.1 + 1);
    for (const fault of schedule.sessions.flat()) {
      assert.ok(fault.at >= 0 && fault.at <= left, `${tellFault(fault)} of ${left}`);
      kinds.set(fault.kind, (kinds.get(fault.kind) ?? 0) + 1);
    }
  }
  assert.equal(kinds.size, 9, [...kinds.keys()].join());
  assert.ok([...kinds.values()].every((count) => count >= 5));
});

/** How runs stand and what they have told, on volumes that hold records alone: whole ones, and those that are half-written. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { takeLock } from '../../lib/formats/files/lock-file.js';
import type { RunEvent } from '../../lib/formats/metrics-event.js';
import { writeRecord } from '../../lib/formats/run-record.js';
import { readRunStatus } from '../../lib/formats/runs/run-status.js';
import { type VolumePaths, volumePaths } from '../../lib/formats/volume.js';
import { openMetrics } from '../../pipeline/record/metrics.js';
import { runCommand } from '../../test/program-host.js';
import { requireValid } from '../../test/results.js';
import { sampleRecords } from '../../test/sample-records.js';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { printEvents } from './print-events.js';
import { statusText } from './status-text.js';

const folder = sharedDirectory();
const { run, rounds } = sampleRecords();
const { settings } = run;
let volumes = 0;

const START: RunEvent = {
  ...{ event: 'start', schemaVersion: 1, id: run.id, resumed: false, settings },
  ...{ retries: 0, cores: 2, jobs: 2, threads: 1 },
};
const failure = {
  stage: 'train',
  round: 2,
  client: 1,
  exitCode: 5,
  reason: 'it was killed.',
  next: 'Go on.',
};

/** A volume with so many tested rounds, and with these events. */
async function volumeWith(
  events: readonly RunEvent[],
  { tested = 2, current = false }: { readonly tested?: number; readonly current?: boolean } = {},
): Promise<VolumePaths> {
  const paths = volumePaths(join(folder, `${volumes++}`));
  await mkdir(paths.data, { recursive: true });
  await writeRecord(paths.run, { ...run, id: `digits-4x1-${volumes}` });
  await writeFile(paths.manifest, '{}');
  for (const each of rounds.slice(0, tested)) await writeRecord(paths.round(each.round).record, each);
  if (current) {
    const { evaluation: _evaluation, aggregate: _aggregate, reported, ...under } = rounds[tested] ?? {};
    await writeRecord(paths.round(tested + 1).record, {
      ...(under as (typeof rounds)[number]),
      reported: (reported ?? []).slice(0, 1),
    });
  }
  const metrics = await openMetrics(paths);
  for (const event of events) await metrics.append(event);
  return paths;
}

const tests = rounds.map(({ round, evaluation }): RunEvent => {
  assert.ok(evaluation);
  return { event: 'evaluation', round, ...evaluation };
});
const told = (round: number): RunEvent => ({
  ...{ event: 'round', round, selected: 4, reported: 3, rejected: 0, missing: 1, best: 0.9 },
  seconds: { train: 5, aggregate: 1, evaluate: 2 },
});

/** As a program prints it. */
async function statusOf(paths: VolumePaths) {
  const status = await readRunStatus(paths.root);
  requireValid('run-status', JSON.parse(JSON.stringify(status)));
  const text = statusText(status);
  assert.ok(
    text.split('\n').every((line) => line.length <= 80 || !line.trim().includes(' ', 12)),
    text,
  );
  return { ...status, text };
}

describe('status', () => {
  test('a run at work: its process, round and clients, the last and the best result, what is left', async () => {
    const paths = await volumeWith([START, tests[0] as RunEvent, told(1), tests[1] as RunEvent, told(2)], {
      current: true,
    });
    const lock = await takeLock(paths.lock);
    const {
      state,
      now,
      rounds: tested,
      most,
      secondsLeft,
      last,
      best,
      process: holder,
      text,
    } = await statusOf(paths);
    assert.deepEqual([state, tested, most, secondsLeft], ['running', 2, 3, 8]);
    assert.deepEqual(now, { stage: 'train', round: 3, selected: 4, reported: 1, missing: 0 });
    assert.deepEqual(last, { round: 2, metric: 'accuracy', value: 0.9, loss: 0.4 });
    assert.deepEqual(best, { round: 2, metric: 'accuracy', value: 0.9 });
    assert.deepEqual([holder?.pid, holder?.life], [process.pid, 'alive']);
    assert.match(text, /^state +running, 2 of 3 rounds$/m);
    assert.match(text, /^now +round 3: training, 1 of 4 clients reported; about 8\.0 s left$/m);
    assert.match(text, /^last +round 2: accuracy 0\.9000, loss 0\.4000$/m);
    lock.release();
  });

  test('a process that is no more has stopped; one of another machine may be at work; a cluster holds no lock', async () => {
    const paths = await volumeWith([START], { current: true });
    assert.equal((await statusOf(paths)).state, 'stopped');
    const lock = await takeLock(paths.lock);
    const holder = JSON.parse(await readFile(paths.lock, 'utf8')) as object;
    lock.release();
    await writeFile(paths.lock, `${JSON.stringify({ ...holder, processStart: '1' })}\n`);
    const dead = await statusOf(paths);
    assert.deepEqual([dead.state, dead.process?.life], ['stopped', 'dead']);
    assert.match(
      dead.why ?? '',
      /^Its process \d+ is no more, and left no end on record: the command .* resumes it\.$/,
    );
    await writeFile(paths.lock, `${JSON.stringify({ ...holder, host: 'elsewhere' })}\n`);
    const other = await statusOf(paths);
    assert.deepEqual([other.state, other.process?.life], ['begun', 'unknown']);
    await rm(paths.lock);
    const { cores: _cores, jobs: _jobs, ...ofCluster } = START as Extract<RunEvent, { event: 'start' }>;
    const cluster = await statusOf(await volumeWith([ofCluster]));
    assert.equal(cluster.state, 'begun');
    assert.match(cluster.why ?? '', /npx fedbatch k8s status tells/);
  });

  test('a run that failed, was interrupted, or is done says why and when', async () => {
    const failed = await statusOf(await volumeWith([START, { event: 'failure', ...failure }]));
    assert.deepEqual([failed.state, failed.failure, failed.now], ['failed', failure, undefined]);
    assert.match(failed.text, /^why +train of client 1 in round 2, exit code 5: it was killed\.$/m);
    assert.match(failed.text, /^next +Go on\.$/m);
    const interrupted = { event: 'failure', ...failure, exitCode: 130 } as const;
    assert.equal((await statusOf(await volumeWith([START, interrupted]))).state, 'interrupted');
    const resumed = await statusOf(await volumeWith([START, interrupted, START]));
    assert.deepEqual([resumed.state, resumed.failure], ['stopped', undefined]);
  });

  test('what is damaged, half-written or of a later version is named, and the rest is told', async () => {
    const paths = await volumeWith([
      { ...START, schemaVersion: 7 } as unknown as RunEvent,
      tests[0] as RunEvent,
    ]);
    await appendFile(paths.metrics, '{"time":"2026","event":"evaluation","round":"x"}\n{"time":"20');
    await writeFile(paths.round(2).record, '{"schemaVersion":1,');
    await writeFile(paths.run, JSON.stringify({ ...run, schemaVersion: 2 }));
    const { id, rounds: tested, most, last, notes } = await statusOf(paths);
    assert.deepEqual([id, tested, most], [run.id, 1, 3]);
    assert.deepEqual(last, { round: 1, metric: 'accuracy', value: 0.5, loss: null });
    assert.equal(notes.length, 4, notes.join('\n'));
    assert.match(
      notes[0] ?? '',
      /run\.json: expected the record of a run .* of version 1, found version 2, which a later/,
    );
    assert.match(
      notes[1] ?? '',
      /metrics\.jsonl: a later fedbatch wrote it \(events of version 7, and 1 is known here\)/,
    );
    assert.match(notes[2] ?? '', /metrics\.jsonl: a line is not understood and passed over\.$/);
    assert.match(notes[3] ?? '', /0002\/round\.json: expected the record of a round .*, found no JSON/);
    await rm(paths.metrics);
    await assert.rejects(readRunStatus(paths.root), /run\.json: .* found version 2/);
  });

  test('the command finds the run by volume, name, beginning or as the latest, and refuses what is none', async () => {
    const place = join(folder, 'named');
    for (const [name, createdAt] of [
      ['first', '2026-01-01T00:00:00.000Z'],
      ['second', '2026-01-02T00:00:00.000Z'],
    ] as const) {
      const paths = volumePaths(join(place, name));
      await writeRecord(paths.run, { ...run, id: `digits-4x1-${name}`, name: `the ${name}`, createdAt });
    }
    const asked = (...words: readonly string[]) => runCommand('status', [...words, '--in', place]);
    for (const [words, name] of [
      [[], 'second'],
      [['latest'], 'second'],
      [['the first'], 'first'],
      [['the f'], 'first'],
      [['digits-4x1-s'], 'second'],
      [[join(place, 'first')], 'first'],
    ] as const) {
      const { exitCode, stdout, stderr } = await asked(...words, '--json');
      assert.equal(exitCode, 0, stderr);
      requireValid('run-status', JSON.parse(stdout));
      assert.equal((JSON.parse(stdout) as { readonly name: string }).name, `the ${name}`);
    }
    for (const [word, message] of [
      ['the', /the is the name of 2 runs: expected the volume of a run, .* \(.*second, .*first\)\.$/],
      ['none', /none is no run: expected the volume of a run, .* \(the second, the first\)\.$/],
      [place, /named is a folder of 2 runs: name one of them \(.*first, .*second\)\.$/],
      [join(place, 'first', 'run.json'), /run\.json is a file: expected the volume of a run/],
    ] as const) {
      const { exitCode, stderr } = await asked(word);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, message);
    }
    await mkdir(join(folder, 'pictures'));
    await writeFile(join(folder, 'pictures', 'cat.png'), '');
    const { exitCode, stderr } = await asked(join(folder, 'pictures'));
    assert.equal(exitCode, 2);
    assert.match(stderr, /pictures is not the volume of a run: expected run\.json in it, found cat\.png\.$/);
  });
});

describe('logs', () => {
  const printed = async (paths: VolumePaths, lines?: number, json = false) => {
    const out: string[] = [];
    const warnings: string[] = [];
    const print = (line: string) => void out.push(line);
    const warn = (message: string) => void warnings.push(message);
    const { signal } = new AbortController();
    await printEvents(paths.root, { json, lines, follow: false, print, warn, signal });
    return { out, warnings };
  };
  const update: RunEvent = {
    ...{ event: 'update', round: 1, client: 2, examples: 9, seconds: 1.25, loss: 0.5, accuracy: 0.8 },
    epochs: [1, 2].map((epoch) => ({ epoch, loss: 0.5, accuracy: 0.8, examples: 9, seconds: 0.5 })),
  };
  const aggregate: RunEvent = {
    ...{ event: 'aggregate', round: 1, updates: 2, examples: 18, seconds: 0.5, rejected: [] },
    ...{ inputs: 'a'.repeat(64), sha256: 'b'.repeat(64) },
    clients: [
      { client: 0, norm: 0.5, cosine: 0.9 },
      { client: 2, norm: 2, cosine: -0.25 },
    ],
  };
  const poisoned: RunEvent = {
    ...aggregate,
    clipNorm: 0.5014,
    clients: [0.5, 0.52, 0.47, 9, 0.51, 0.49].map((norm, client) => ({ client, norm, cosine: 0.5 })),
  };
  const hostile: RunEvent = { event: 'missing', round: 1, client: 1, reason: 'gone\u001b[2J\nnow' };

  test('events are lines of words, without letters that a terminal would obey', async () => {
    const events = [START, update, hostile, aggregate, poisoned, tests[1] as RunEvent, told(1)];
    const { out } = await printed(await volumeWith(events));
    assert.deepEqual(out.map((line) => line.slice(10)).slice(1), [
      'update     round 1: client 2, loss 0.5000, accuracy 0.8000, 9 examples  1.3 s',
      'missing    round 1: client 1: gone [2J now',
      'aggregate  round 1: 2 updates, 18 examples, norms 0.5 to 2, cosines -0.25 to 0.9  0.5 s',
      'aggregate  round 1: 2 updates, 18 examples, norms 0.47 to 9, clipped to 0.501, cosines 0.5 to 0.5, unlike the others: client 3 (norm 17.8 times the median, robust z-score 65.4)  0.5 s',
      'evaluation round 2: accuracy 0.9000, loss 0.4000  0.3 s',
      'round      1: 3 of 4 clients reported, 1 missing  8.0 s',
    ]);
    assert.match(
      out[0] ?? '',
      /^\d\d:\d\d:\d\d {2}start {6}\d{4}-\d\d-\d\d: my<data>-4x1-00000000, 4 clients, 3 rounds$/,
    );
  });

  test('the last lines, as they are; damaged ones are passed over, and what is unknown is shown', async () => {
    const paths = await volumeWith([START, update]);
    const whole = (await readFile(paths.metrics, 'utf8')).split('\n');
    await appendFile(paths.metrics, '{"time":"2030","event":"tea"}\n{"broken\n{"time":"20');
    const { out, warnings } = await printed(paths, 3, true);
    assert.deepEqual(out, [whole[1], '{"time":"2030","event":"tea"}']);
    assert.deepEqual(warnings, [`${paths.metrics}: a line is damaged and passed over: {"broken`]);
    assert.equal((await printed(paths, 2)).out[0], '{"time":"2030","event":"tea"}');
  });

  test('following goes on with what is added, and ends with the run', async () => {
    const paths = await volumeWith([START]);
    const lock = await takeLock(paths.lock);
    const out: string[] = [];
    const { signal } = new AbortController();
    const options = { json: true, follow: true, warn: assert.fail, signal };
    let hasSeen: (line: string) => void = () => undefined;
    const seen = new Promise<string>((resolve) => {
      hasSeen = resolve;
    });
    const print = (line: string) => {
      out.push(line);
      if (out.length === 2) hasSeen(line);
    };
    const printing = printEvents(paths.root, { ...options, print });
    const metrics = await openMetrics(paths);
    await metrics.append(update);
    await seen;
    await metrics.append({ event: 'failure', ...failure });
    lock.release();
    await printing;
    assert.deepEqual(
      out.map((line) => (JSON.parse(line) as { readonly event: string }).event),
      ['start', 'update', 'failure'],
    );
  });
});

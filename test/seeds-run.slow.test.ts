/** `fedbatch run --seeds` from end to end: ordinary runs in one volume, what they come to together, resumed, and what is refused. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { withoutChecksum } from '../lib/formats/files/json-document.js';
import type { RepeatedRun } from '../lib/formats/repeated-run.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { requireValid, requireValidFile } from './results.js';
import { sharedDirectory } from './temporary-directory.js';

let directory = '';
let settings: readonly string[] = [];
/** A run with the seeds 3 and 4, and its JSON line. */
let repeated: RepeatedRun;

const at = (...names: readonly string[]) => join(directory, ...names);
const run = (volume: string, ...more: readonly string[]) =>
  runCommand('run', [...settings, '--volume', at(volume), ...more], { cwd: directory });

/** Runs to the end; its JSON line. */
async function finished(volume: string, ...more: readonly string[]): Promise<RepeatedRun> {
  const { exitCode, stdout, stderr } = await run(volume, ...more, '--json');
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(lastLine(stdout)) as RepeatedRun;
}

/** Runs, and is refused with this exit code and sentence. */
async function refused(code: number, sentence: RegExp, volume: string, ...more: readonly string[]) {
  const { exitCode, stderr } = await run(volume, ...more);
  assert.equal(exitCode, code, stderr);
  assert.match(stderr, sentence);
}

before(async () => {
  directory = sharedDirectory();
  const data = await writeTinyDataset(directory, 108);
  const model = ['--model', 'mlp', '--batch', '20', '--client-holdout', '0.2'];
  settings = ['--data', data, '--simulate', '--rounds', '2', '--seed', '3', ...model];
  repeated = await finished('all', '--seeds', '2', '--name', 'twice', '--tag', 'few');
});

describe('run --seeds', () => {
  it('is a run of each seed, with mean and deviation of what they report, at the end and after each round', async () => {
    requireValid('repeated-run', repeated);
    requireValidFile('repeated-run', at('all', 'seeds.json'));
    const { runs, figures, course, name, tags } = repeated;
    assert.deepEqual([name, tags], ['twice', ['few']]);
    assert.deepEqual(withoutChecksum(JSON.parse(await readFile(at('all', 'seeds.json'), 'utf8'))), repeated);
    assert.deepEqual(
      runs.map(({ seed }) => seed),
      [3, 4],
    );
    const [a = 0, b = 0] = runs.map(({ accuracy }) => accuracy);
    assert.ok(Math.abs((figures.accuracy?.mean as number) - (a + b) / 2) < 1e-12);
    assert.ok(Math.abs((figures.accuracy?.sd as number) - Math.abs(a - b) / Math.SQRT2) < 1e-12);
    for (const place of [
      'loss',
      'metrics.accuracy',
      'best.accuracy',
      'participation.selected',
      'seconds.total',
    ])
      assert.equal(figures[place]?.runs, 2, place);
    assert.deepEqual(
      course.map(({ round }) => round),
      [1, 2],
    );
    assert.deepEqual(course.at(-1)?.figures.accuracy, figures.accuracy);
    // How it is for each client, where clients hold examples out.
    const across = 'acrossClients.global.accuracy.worstDecile';
    assert.equal(figures[across]?.runs, 2);
    assert.deepEqual(course.at(-1)?.figures['acrossClients.accuracy.worstDecile'], figures[across]);
    const page = await readFile(at('all', 'report.html'), 'utf8');
    assert.match(page, /<dt>runs<\/dt><dd>2<small>seeds 3 to 4/);
    assert.match(page, /<path class="band"/);
    const told = page.replaceAll(/<script[\s\S]*?<\/script>/g, '');
    assert.ok(!/undefined|NaN|\[object/.test(told));
  });

  it('has the bytes of a run of that seed alone', async () => {
    const { exitCode, stdout, stderr } = await run('alone', '--seed', '4', '--json');
    assert.equal(exitCode, 0, stderr);
    assert.equal((JSON.parse(lastLine(stdout)) as { sha256: string }).sha256, repeated.runs[1]?.sha256);
    requireValidFile('run', at('all', 'seeds', '4', 'run.json'));
  });

  it('goes on from what is there, whole or interrupted, with more seeds', async () => {
    const model = at('all', 'seeds', '3', 'rounds', '0002', 'global.h5');
    const before = statSync(model).mtimeMs;
    // As if the second run had been interrupted in its last round.
    await rm(at('all', 'seeds', '4', 'rounds', '0002', 'round.json'));
    const { stdout, exitCode, stderr } = await run('all', '--seeds', '3');
    assert.equal(exitCode, 0, stderr);
    assert.equal(statSync(model).mtimeMs, before);
    const record = JSON.parse(readFileSync(at('all', 'seeds.json'), 'utf8')) as RepeatedRun;
    assert.deepEqual(
      record.runs.slice(0, 2).map(({ sha256 }) => sha256),
      repeated.runs.map(({ sha256 }) => sha256),
    );
    assert.match(stdout, /of 3 runs, seeds 3 to 5 +mean ± sd +least +most +runs\n/);
    assert.match(stdout, /\n +accuracy +[\d.]+ ± [\d.]+ +[\d.]+ +[\d.]+ +3\n/);
  });

  it('judges the mean', async () => {
    const { exitCode, stderr } = await run('all', '--seeds', '2', '--min-accuracy', '1');
    const { mean } = repeated.figures.accuracy as { mean: number };
    if (mean < 1) {
      assert.equal(exitCode, 4, stderr);
      assert.match(stderr, /The accuracy 0\.\d+ is below the required 1\./);
    } else assert.equal(exitCode, 0);
    await refused(
      4,
      /The loss [\d.]+ misses the required 0\./,
      'all',
      '--seeds',
      '2',
      '--min-metric',
      'loss=0',
    );
  });

  it('is refused on the volume of something else, and with what is about one run', async () => {
    await refused(
      2,
      /holds a run of other settings \(--seed 3, now 9\)/,
      'all',
      '--seeds',
      '2',
      '--seed',
      '9',
    );
    await refused(2, /holds a run with --seeds: choose another directory with --volume\./, 'all');
    await mkdir(at('single'));
    await writeFile(at('single', 'run.json'), '{}');
    await refused(2, /holds a run without --seeds/, 'single', '--seeds', '2');
    await refused(
      2,
      /--serve does not go with --seeds 2, .* serve one of them/,
      'new',
      '--seeds',
      '2',
      '--serve',
    );
    await refused(2, /Expected a whole number from 2 to 1000, found "1"/, 'new', '--seeds', '1');
    await refused(
      2,
      /--seed 9007199254740991 is too large/,
      'new',
      '--seeds',
      '2',
      '--seed',
      '9007199254740991',
    );
    for (const command of ['run', 'render']) {
      const cluster = await runCommand('k8s', [command, '--seeds', '2'], { cwd: directory });
      assert.equal(cluster.exitCode, 2);
      assert.match(
        cluster.stderr,
        /--seeds 2 repeats a run on this machine .* k8s sweep --grid seed=0,1,2 does\./,
      );
    }
  });
});

/** Lists of runs and runs side by side, on volumes that hold records alone. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { writeRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { runCommand } from '../../test/program-host.js';
import { requireValid } from '../../test/results.js';
import { sampleRecords } from '../../test/sample-records.js';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { compareRuns, formatComparison, readComparedRun } from './compare-runs.js';
import { formatRows, listRuns } from './run-list.js';

const folder = sharedDirectory();
const heard: string[] = [];
const warn = (message: string) => void heard.push(message);

/** Writes the records of a run as it lies on a volume after so many rounds, and what its last session told. */
async function writeVolume(
  place: string,
  run: Partial<ReturnType<typeof sampleRecords>['run']>,
  { rounds = 3, event = { event: 'end', seconds: {} } as object } = {},
): Promise<string> {
  const records = sampleRecords();
  const paths = volumePaths(join(folder, place));
  await writeRecord(paths.run, { ...records.run, ...run });
  for (const each of records.rounds.slice(0, rounds)) {
    await writeRecord(paths.round(each.round).record, each);
  }
  await mkdir(dirname(paths.metrics), { recursive: true });
  const time = '2026-01-02T03:04:05Z';
  await writeFile(
    paths.metrics,
    `${JSON.stringify({ time, event: 'start' })}\n${JSON.stringify({ time, ...event })}\n`,
  );
  return paths.root;
}

const { settings } = sampleRecords().run;
const first = await writeVolume('first', {
  id: 'digits-4x1-11111111',
  createdAt: '2026-01-01T00:00:00.000Z',
  name: 'the first',
  tags: ['baseline', 'mlp'],
});
const second = await writeVolume(
  join('sweeps', 'a', 'trials', 'second'),
  {
    id: 'digits-4x1-22222222',
    createdAt: '2026-01-03T00:00:00.000Z',
    settings: {
      ...settings,
      training: { ...settings.training, learningRate: 0.5 },
      federation: { ...settings.federation, rounds: 2 },
      dataset: { ...settings.dataset, name: '/moved/elsewhere.npz' },
    },
  },
  { rounds: 2 },
);
await writeVolume(
  'third',
  { id: 'digits-4x1-2333333', createdAt: '2026-01-02T00:00:00.000Z', tags: ['baseline'] },
  { rounds: 0, event: { event: 'failure', stage: 'train', exitCode: 130, reason: 'r', next: 'n' } },
);

test('runs are found wherever they lie below the folder, the newest first, with what came of them', async () => {
  const rows = await listRuns({ folder, warn });
  requireValid('runs-result', JSON.parse(JSON.stringify(rows)));
  assert.deepEqual(
    rows.map(({ id, volume, name, tags, rounds, most, metric, value, state }) => [
      ...[id, volume, name, tags, rounds, most, metric, value, state],
    ]),
    [
      ['digits-4x1-22222222', second, undefined, undefined, 2, 2, 'accuracy', 0.9, 'finished'],
      [
        ...['digits-4x1-2333333', join(folder, 'third'), undefined, ['baseline'], 0, 3, undefined, undefined],
        'interrupted',
      ],
      ['digits-4x1-11111111', first, 'the first', ['baseline', 'mlp'], 3, 3, 'accuracy', 0.81, 'finished'],
    ],
  );
  assert.deepEqual(heard, []);
});

test('a table leaves out whole columns where there is no room, and keeps what came of a run', async () => {
  const rows = await listRuns({ folder, warn });
  const wide = formatRows(rows, 200).split('\n');
  assert.match(wide[0] ?? '', /begun +name +run +tags +data +model +rounds +result +state/);
  assert.match(
    wide[4] ?? '',
    /2026-01-01 00:00 +the first +digits-4x1-11111111 +baseline mlp .* accuracy 0\.8100 +finished/,
  );
  const narrow = formatRows(rows, 80).split('\n');
  assert.ok(narrow.every((line) => line.length <= 80));
  assert.match(narrow[0] ?? '', /name +model +rounds +result +state/);
  const named = rows.map((row) => ({
    ...row,
    name: `${row.id}, with a name that is far too long for a table of 80`,
  }));
  const cut = formatRows(named, 80).split('\n');
  assert.ok(cut.every((line) => line.length <= 80));
  assert.match(cut[2] ?? '', /^digits-4x1-22222222, with.*… +2 +accuracy 0\.9000 +finished$/);
});

test('two runs side by side: what differs by its place, data by what they hold, figures with their difference', async () => {
  const comparison = compareRuns([await readComparedRun(first), await readComparedRun(second)]);
  requireValid('runs-comparison', JSON.parse(JSON.stringify(comparison)));
  assert.deepEqual(comparison.settings, [
    { place: 'federation.rounds', values: [3, 2] },
    { place: 'training.learningRate', values: [0.1, 0.5] },
  ]);
  assert.deepEqual(comparison.figures, [
    { name: 'accuracy', values: [0.81, 0.9] },
    { name: 'loss', values: [null, 0.4] },
    { name: 'rounds', values: [3, 2] },
    { name: 'seconds', values: [13.5, 9] },
  ]);
  const text = formatComparison(comparison);
  assert.match(text, /^ +setting +the first +digits-4x1-22222222\n/);
  assert.match(text, /training\.learningRate +0\.1 +0\.5\n/);
  assert.match(text, /accuracy +0\.8100 +0\.9000 +\+0\.0900\n/);
  assert.ok(text.split('\n').every((line) => line.length <= 80));
});

test('runs of long names are columns A and B, named above', async () => {
  const { row, records } = await readComparedRun(first);
  const named = (name: string) => ({ records, row: { ...row, name } });
  const text = formatComparison(compareRuns([named('learning-rate 0.1, hidden 64'), named('b')]));
  assert.match(
    text,
    /^A {2}learning-rate 0\.1, hidden 64\nB {2}b\n\nTheir settings are the same\.\n\n +result +A +B +difference\n/,
  );
});

test('more runs than fit 80 columns are compared in tables below each other', async () => {
  const { row, records } = await readComparedRun(first);
  const many = Array.from({ length: 12 }, (_, at) => ({
    records,
    row: { ...row, name: `run number ${at}` },
  }));
  const text = formatComparison(compareRuns(many));
  assert.ok(
    text.split('\n').every((line) => line.length <= 80),
    text,
  );
  assert.equal(text.match(/^accuracy|^ +accuracy/gm)?.length, 4);
  for (const { row: each } of many) assert.ok(text.includes(each.name), each.name);
});

test('the commands: by tag, by name and by the beginning of an id; what means no run or several is refused', async () => {
  const listed = await runCommand('runs', [folder, '--tag', 'baseline', '--tag', 'mlp', '--json']);
  assert.equal(listed.exitCode, 0, listed.stderr);
  assert.deepEqual(
    (JSON.parse(listed.stdout) as readonly { id: string }[]).map(({ id }) => id),
    ['digits-4x1-11111111'],
  );
  const compare = (...words: readonly string[]) => runCommand('runs', ['compare', ...words, '--in', folder]);
  const compared = await compare('the first', 'digits-4x1-222', '--json');
  assert.equal(compared.exitCode, 0, compared.stderr);
  requireValid('runs-comparison', JSON.parse(compared.stdout));
  for (const [words, message] of [
    [
      ['the first', 'digits-4x1-2'],
      /digits-4x1-2 is the name of 2 runs: expected the volume of a run, its name/,
    ],
    [
      ['the first', 'nothing'],
      /nothing is no run: expected .* \(digits-4x1-22222222, digits-4x1-2333333, the first\)\.$/,
    ],
    [['the first'], /Expected two runs to compare, found the first alone\.$/],
  ] as const) {
    const { exitCode, stderr } = await compare(...words);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
  }
  const nowhere = await runCommand('runs', [join(folder, 'nowhere')]);
  assert.equal(nowhere.exitCode, 3);
  assert.match(nowhere.stderr, /nowhere: expected a folder of runs, found no such folder\.$/);
});

test('a damaged record is told of, and the others are listed', async () => {
  const damaged = join(folder, 'damaged');
  await mkdir(damaged);
  await writeFile(join(damaged, 'run.json'), '{');
  heard.length = 0;
  assert.equal((await listRuns({ folder, warn })).length, 3);
  assert.equal(heard.length, 1);
  assert.match(
    heard[0] ?? '',
    /^left out: .*damaged\/run\.json: expected the record of a run .*, found no JSON/,
  );
});

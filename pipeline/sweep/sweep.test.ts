/** `fedbatch sweep` from end to end: real trials on a tiny dataset, resumed, stopped, interrupted. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { parse } from 'yaml';
import { InterruptedError, StageError } from '../../lib/core/errors.js';
import { type Reporter, silentReporter } from '../../lib/observability/events.js';
import { runSettings } from '../../lib/settings/run-settings.js';
import { byPlace } from '../../lib/settings/setting.js';
import { parseAxis } from '../../sweep/axes.js';
import { planSweep } from '../../sweep/plan.js';
import { runSweep, type TrialRunner } from '../../sweep/run-sweep.js';
import type { SweepRecord, SweepResult } from '../../sweep/sweep-record.js';
import { writeTinyDataset } from '../../test/datasets.js';
import { runningWith } from '../../test/processes.js';
import { runCommand } from '../../test/program-host.js';
import { lastLine, programPath } from '../../test/programs.js';
import { requireValid, requireValidFile } from '../../test/results.js';
import { eventsOf, waitFor } from '../../test/runs.js';
import { sharedDirectory, temporaryDirectory } from '../../test/temporary-directory.js';
import type { RunResult } from '../rounds/summary.js';

const directory = sharedDirectory();
const data = await writeTinyDataset(directory, 80);
const SETTINGS = [
  '--data',
  data,
  '--model',
  'mlp',
  '--epochs',
  '1',
  '--batch',
  '40',
  '--clients',
  '2',
  '--threads',
  '1',
];

const sweep = (out: string, ...flags: readonly string[]) =>
  runCommand('sweep', [...SETTINGS, '--out', out, ...flags, '--json'], { cwd: directory });

const recordOf = (out: string) => JSON.parse(readFileSync(join(out, 'sweep.json'), 'utf8')) as SweepRecord;

test('a sweep of 2 × 2 trials: each a run on its own volume, ranked, on a page; the same command finds all done', async () => {
  const out = join(directory, 'grid');
  const flags = [
    '--grid',
    'learning-rate=0.1,0.001',
    '--grid',
    'hidden=8;8,4',
    '--tag',
    'tiny',
    '--parallel',
    '2',
  ];
  const first = await sweep(out, ...flags);
  assert.equal(first.exitCode, 0, first.stderr);
  const result = JSON.parse(lastLine(first.stdout)) as SweepResult;
  requireValid('sweep-result', result);
  requireValidFile('sweep', join(out, 'sweep.json'));
  assert.deepEqual([result.finished, result.stopped, result.failed, result.ranking.length], [4, 0, 0, 4]);
  const means = result.ranking.map(({ mean = 0 }) => mean);
  assert.deepEqual(
    means,
    means.toSorted((a, b) => b - a),
  );
  assert.match(await readFile(join(out, 'sweep.html'), 'utf8'), /<table class="matrix heat">/);
  const listed = await runCommand('runs', [out, '--tag', 'tiny', '--json']);
  const rows = JSON.parse(listed.stdout) as readonly {
    name: string;
    state: string;
    id: string;
    sha256: string;
  }[];
  assert.deepEqual(rows.map(({ name, state }) => `${name}: ${state}`).sort(), [
    'learning-rate 0.001, hidden 8,4: finished',
    'learning-rate 0.001, hidden 8: finished',
    'learning-rate 0.1, hidden 8,4: finished',
    'learning-rate 0.1, hidden 8: finished',
  ]);
  const before = recordOf(out);
  for (const { id, sha256 } of rows)
    assert.equal(before.trials.find((trial) => trial.id === id)?.sha256, sha256);

  // A trial is the run that fedbatch run makes of the same settings.
  const alone = join(directory, 'alone');
  const run = await runCommand('run', [
    ...[...SETTINGS, '--volume', alone, '--json', '--learning-rate', '0.1', '--hidden', '8'],
  ]);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.equal(JSON.parse(lastLine(run.stdout)).sha256, before.trials[0]?.sha256);

  // Nothing is done again; one whose volume is gone is.
  const gone = join(out, 'trials', before.trials[1]?.id ?? '');
  await rm(gone, { recursive: true });
  const kept = join(out, 'trials', before.trials[0]?.id ?? '', 'aggregated-model.h5');
  const { mtimeMs } = await stat(kept);
  const again = await sweep(out, ...flags);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stderr, /4 trials, 3 of them done before, 2 at a time/);
  const after = recordOf(out);
  assert.deepEqual(
    after.trials.map(({ seconds, ...trial }) => trial),
    before.trials.map(({ seconds, ...trial }) => trial),
  );
  assert.equal((await stat(kept)).mtimeMs, mtimeMs);
});

test('a sweep from a file: flags win over it, seeds are one row', async () => {
  const out = join(directory, 'file');
  const file = join(directory, 'sweep.yaml');
  await writeFile(
    file,
    'grid:\n  learning-rate: [0.5, 0.1]\n  model.hidden: ["8"]\n  seed: [0, 1]\nparallel: 2\nsettings:\n  training: { epochs: 9 }\n',
  );
  requireValid('sweep-file', parse(await readFile(file, 'utf8')));
  const { exitCode, stdout, stderr } = await sweep(out, '--file', file, '--grid', 'learning-rate=0.1');
  assert.equal(exitCode, 0, stderr);
  const { ranking } = JSON.parse(lastLine(stdout)) as SweepResult;
  assert.equal(ranking.length, 1);
  assert.deepEqual(ranking[0]?.trials, [1, 2]);
  assert.ok(ranking[0]?.sd !== undefined);
  assert.deepEqual(
    recordOf(out).trials.map(({ seed }) => seed),
    [0, 1],
  );
});

test('a real trial that learns nothing is stopped after its first round, and says why on its own record', async () => {
  const out = join(directory, 'stopped');
  const grid = ['--grid', 'learning-rate=0.05,0.03,0.01,0', '--rounds', '2', '--median-rule', '1'];
  const flags = [...grid, '--clients', '1'];
  const { exitCode, stdout, stderr } = await sweep(out, ...flags);
  assert.equal(exitCode, 0, stderr);
  const { finished, stopped, ranking } = JSON.parse(lastLine(stdout)) as SweepResult;
  assert.deepEqual([finished, stopped], [3, 1]);
  assert.deepEqual(ranking.at(-1)?.values, { 'training.learningRate': 0 });
  const last = recordOf(out).trials[3];
  assert.match(
    last?.reason ?? '',
    /^Stopped by the median rule: accuracy 0\.\d{4} after round 1, the median of 3 /,
  );
  assert.equal(last?.course.length, 1);
  const [failure] = eventsOf(join(out, 'trials', last?.id ?? ''), 'failure');
  assert.equal(failure?.exitCode, 130);
  assert.ok(
    String(failure?.reason).startsWith(`${last?.reason} What is finished stays in `),
    `${failure?.reason}`,
  );
  const listed = await runCommand('runs', [out, '--json']);
  const rows = JSON.parse(listed.stdout) as readonly { id: string; state: string }[];
  assert.equal(rows.find(({ id }) => id === last?.id)?.state, 'interrupted');
});

test('a trial that is taken up again has the course of all its rounds', async () => {
  const out = join(directory, 'resumed');
  const flags = ['--grid', 'learning-rate=0.05', '--rounds', '8', '--clients', '1'];
  const first = await sweep(out, ...flags);
  assert.equal(first.exitCode, 0, first.stderr);
  const { trials } = recordOf(out);
  const facts = ({ seconds, ...trial }: SweepRecord['trials'][number]) => trial;
  assert.equal(trials[0]?.course.filter(Number.isFinite).length, 8);
  // As if a kill had come before the record was written: of eight rounds three are known by their records alone.
  await rm(join(out, 'sweep.json'));
  const again = await sweep(out, ...flags);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stderr, /round 4\/8/);
  assert.doesNotMatch(again.stderr, /round 3\/8/);
  assert.deepEqual(recordOf(out).trials.map(facts), trials.map(facts));
});

test('what is wrong is told before anything starts, by name', async () => {
  const out = join(directory, 'refused');
  const file = join(directory, 'wrong.yaml');
  await writeFile(file, 'grid:\n  learnig-rate: [0.1]\n');
  for (const [flags, message] of [
    [[], /A sweep needs an axis: --grid learning-rate=0\.1,0\.01, for example\.$/],
    [['--grid', 'learnig-rate=1'], /There is no setting learnig-rate\. Did you mean learning-rate\?/],
    [['--grid', 'epochs=0,1'], /epochs: expected a whole number of at least 1, found "0"\./],
    [['--grid', 'hidden=8', '--grid', 'hidden=4'], /hidden is an axis already/],
    [['--grid', 'momentum=0..1'], /momentum is a range: say with --random or --sobol/],
    [
      ['--grid', 'hidden=8', '--random', '1', '--sobol', '1'],
      /--random 1 and --sobol 1 contradict each other/,
    ],
    [
      ['--grid', 'model=cnn,mlp', '--hidden', '8'],
      /^error: Trial 1 \(model cnn\): --hidden 8 belongs to --model mlp or lstm, not to cnn\.$/,
    ],
    [
      ['--grid', 'nesterov=true,false'],
      /^error: Trial 1 \(nesterov true\): .*nesterov goes with --optimizer sgd alone/,
    ],
    [
      ['--grid', 'local-steps=1,2', '--epochs', '2'],
      /Trial 1 \(local-steps 1\): --epochs 2 and --local-steps 1 contradict each other/,
    ],
    [['--grid', 'clients=2,90000'], /90000/],
    [
      ['--grid', 'seed=0,1', '--parallel', '2', '--metrics-port', '9464'],
      /^error: --metrics-port 9464 is one port, and 2 trials run side by side: give 0, .* or --pushgateway\.$/,
    ],
    [['--file', file], /wrong\.yaml: grid: There is no setting learnig-rate\. Did you mean learning-rate\?$/],
    [['--file', join(directory, 'none.yaml')], /--file .*none\.yaml: there is no such file\.$/],
  ] as const) {
    const { exitCode, stderr } = await sweep(out, ...flags);
    assert.equal(exitCode, 2, `${flags}: ${stderr}`);
    assert.match(stderr.split('\n')[0] ?? '', message);
  }
  assert.equal(existsSync(out), false);
});

test('Ctrl-C ends the processes of all trials at work, and nothing that is done is lost', async () => {
  const out = join(directory, 'interrupted');
  const flags = ['--data', data, '--model', 'mlp', '--clients', '1', '--epochs', '9000', '--threads', '1'];
  const child = execa(
    process.execPath,
    [
      programPath('cli'),
      'sweep',
      ...flags,
      '--grid',
      'learning-rate=0.1,0.2,0.3',
      '--parallel',
      '2',
      '--out',
      out,
    ],
    { cwd: directory, reject: false, detached: true, cleanup: false },
  );
  await waitFor(() => runningWith(join(out, 'trials')).length === 2);
  process.kill(-(child.pid ?? 0), 'SIGINT');
  const { exitCode, stderr } = await child;
  assert.equal(exitCode, 130, stderr);
  assert.match(
    stderr,
    /error: Interrupted\. What is finished stays in interrupted; the same command resumes from there\./,
  );
  assert.deepEqual(runningWith(out), [], 'no orphans');
  assert.deepEqual(
    recordOf(out).trials.map(({ state }) => state),
    ['open', 'open', 'open'],
  );
  assert.equal(existsSync(join(out, '.lock')), false);
});

/** A plan of trials that are played, not run. */
const plan = (...axes: readonly string[]) =>
  planSweep({
    base: { given: { 'federation.rounds': 3 }, named: byPlace },
    axes: axes.map(parseAxis),
    search: { kind: 'grid' },
    settingsOf: async (asked) => runSettings(asked),
  });

/** Plays trials whose accuracy after each round follows from their learning rate; notes what it played. */
function player(
  played: string[],
  { failing = Number.NaN, metric = 'accuracy', settled = 0 } = {},
): TrialRunner {
  return {
    async run({ number, values, settings }, { reporter, signal }) {
      const accuracy = Number(values['training.learningRate']);
      const { rounds } = settings.federation;
      for (let round = 1; round <= rounds; round++) {
        if (number === failing) throw new StageError('train client 0', 'was killed.');
        const part = { stage: 'train', round, rounds, done: 1, total: 2 } as const;
        reporter.progress({ ...part, unit: 'clients' });
        reporter.progress({ ...part, client: 0, unit: 'examples' });
        const facts = { round, rounds, metric, value: accuracy, accuracy, loss: 1, seconds: 1 };
        const best = { round: 1, value: accuracy };
        const participation = { selected: 2, reported: 2, rejected: 0, missing: 0 };
        if (round <= settled) {
          reporter.round({ ...facts, best, participation, isSkipped: true, isSettled: true });
          continue;
        }
        reporter.round({ ...facts, best, participation, isSkipped: false });
        played.push(`${number}/${round}`);
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) throw new InterruptedError();
      }
      const evaluation = { accuracy, loss: 1, examples: 1 };
      const outcome = { evaluation, global: { file: '', sha256: 'a'.repeat(64) }, round: rounds };
      const seconds = { split: 0, train: 1, aggregate: 0, evaluate: 0, total: 1 };
      return {
        ...{ last: outcome, best: outcome, rounds, stopped: 'rounds', seconds },
        volume: '',
        lastRound: {},
        participation: {},
      } as unknown as RunResult;
    },
    holds: async () => true,
  };
}

test('hopeless trials are stopped by the median rule, on record as such, and left alone by the same command', async (t) => {
  const out = await temporaryDirectory(t);
  const played: string[] = [];
  const options = {
    plan: await plan('learning-rate=0.9,0.8,0.7,0.2,0.75,0.1'),
    ...{ directory: out, runner: player(played), parallel: 1, medianRule: 2, fresh: false },
  };
  const context = { reporter: silentReporter, signal: new AbortController().signal };
  const record = await runSweep(options, context);
  requireValid('sweep', JSON.parse(JSON.stringify(record)));
  assert.deepEqual(
    record.trials.map(({ state, course }) => `${state} ${course.length}`),
    ['finished 3', 'finished 3', 'finished 3', 'stopped 2', 'finished 3', 'stopped 2'],
  );
  assert.equal(
    record.trials[3]?.reason,
    'Stopped by the median rule: accuracy 0.2000 after round 2, the median of 3 other trials there is 0.8000.',
  );
  played.length = 0;
  await runSweep(options, context);
  assert.deepEqual(played, []);
  // Without the rule they are run to their end; begun anew, all are.
  await runSweep({ ...options, medianRule: undefined }, context);
  assert.deepEqual(played, ['4/1', '4/2', '4/3', '6/1', '6/2', '6/3']);
  played.length = 0;
  await runSweep({ ...options, fresh: true, medianRule: undefined }, context);
  assert.equal(played.length, 18);
});

test('the median rule judges no round that an earlier session had settled, and compares with its value', async (t) => {
  const { trials } = await runSweep(
    {
      plan: await plan('learning-rate=0.9,0.8,0.7,0.1'),
      ...{ directory: await temporaryDirectory(t), parallel: 1, medianRule: 1, fresh: false },
      runner: player([], { settled: 1 }),
    },
    { reporter: silentReporter, signal: new AbortController().signal },
  );
  assert.deepEqual(trials[3]?.course, [0.1, 0.1]);
  assert.match(trials[3]?.reason ?? '', /accuracy 0\.1000 after round 2, the median of 3 other trials/);
});

test('a trial that ends better than those before it is told to be the best so far', async (t) => {
  const told: string[] = [];
  await runSweep(
    {
      plan: await plan('learning-rate=0.2,0.3,0.1,0.4'),
      ...{ directory: await temporaryDirectory(t), parallel: 1, fresh: false },
      runner: player([], { metric: 'rmse' }),
    },
    {
      reporter: { ...silentReporter, info: (line) => void told.push(line) },
      signal: new AbortController().signal,
    },
  );
  assert.deepEqual(told.slice(1), [
    'trial 1/4  learning-rate 0.2  rmse 0.2000  1.0 s',
    'trial 2/4  learning-rate 0.3  rmse 0.3000  1.0 s',
    'trial 3/4  learning-rate 0.1  rmse 0.1000  1.0 s  best so far',
    'trial 4/4  learning-rate 0.4  rmse 0.4000  1.0 s',
  ]);
});

test('trials tell how far their rounds are, each as itself, and not what their clients do', async (t) => {
  const told: string[] = [];
  const reporter: Reporter = {
    ...silentReporter,
    progress: ({ trial, client, round }) => void told.push(`${trial} ${round} ${client}`),
    close: (source) => void told.push(`${source?.trial} is over`),
  };
  await runSweep(
    {
      plan: await plan('learning-rate=0.1,0.2'),
      ...{ directory: await temporaryDirectory(t), parallel: 2, fresh: false, runner: player([]) },
    },
    { reporter, signal: new AbortController().signal },
  );
  const of = (trial: number) => told.filter((each) => each.startsWith(`${trial} `));
  for (const trial of [1, 2]) {
    assert.deepEqual(
      of(trial),
      [1, 2, 3].map((round) => `${trial} ${round} undefined`).concat(`${trial} is over`),
    );
  }
});

test('of a metric whose lower values are better the highest is hopeless, and is told in its own values', async (t) => {
  const record = await runSweep(
    {
      plan: await plan('learning-rate=0.1,0.2,0.3,0.9'),
      ...{ directory: await temporaryDirectory(t), parallel: 1, medianRule: 1, fresh: false },
      runner: player([], { metric: 'rmse' }),
    },
    { reporter: silentReporter, signal: new AbortController().signal },
  );
  assert.equal(
    record.trials[3]?.reason,
    'Stopped by the median rule: rmse 0.9000 after round 1, the median of 3 other trials there is 0.2000.',
  );
});

test('a trial that fails leaves the others alone, is on record, and is tried again', async (t) => {
  const out = await temporaryDirectory(t);
  const played: string[] = [];
  const options = { plan: await plan('learning-rate=0.1,0.2'), directory: out, parallel: 2, fresh: false };
  const context = { reporter: silentReporter, signal: new AbortController().signal };
  const record = await runSweep({ ...options, runner: player(played, { failing: 1 }) }, context);
  assert.deepEqual(
    record.trials.map(({ state }) => state),
    ['failed', 'finished'],
  );
  assert.equal(record.trials[0]?.reason, 'train client 0: was killed.');
  played.length = 0;
  const again = await runSweep({ ...options, runner: player(played) }, context);
  assert.deepEqual(
    again.trials.map(({ state }) => state),
    ['finished', 'finished'],
  );
  assert.deepEqual(played, ['1/1', '1/2', '1/3']);
});

test('an interrupted sweep keeps what is done, and the same command does the rest', async (t) => {
  const out = await temporaryDirectory(t);
  const played: string[] = [];
  const stop = new AbortController();
  const inner = player(played);
  const runner: TrialRunner = {
    ...inner,
    async run(trial, context) {
      if (trial.number === 2) stop.abort(new InterruptedError());
      return await inner.run(trial, context);
    },
  };
  const options = {
    plan: await plan('learning-rate=0.1,0.2,0.3'),
    directory: out,
    parallel: 1,
    fresh: false,
  };
  await assert.rejects(runSweep({ ...options, runner }, { reporter: silentReporter, signal: stop.signal }), {
    name: 'InterruptedError',
    message: /What is finished stays in .*; the same command resumes from there\.$/,
  });
  assert.deepEqual(
    recordOf(out).trials.map(({ state }) => state),
    ['finished', 'open', 'open'],
  );
  played.length = 0;
  const context = { reporter: silentReporter, signal: new AbortController().signal };
  const record = await runSweep({ ...options, runner: inner }, context);
  assert.deepEqual(
    record.trials.map(({ state }) => state),
    ['finished', 'finished', 'finished'],
  );
  assert.deepEqual(played, ['2/1', '2/2', '2/3', '3/1', '3/2', '3/3']);
});

test('trials that are the same run, and the volume of a run as the place of a sweep, are refused', async (t) => {
  const same = planSweep({
    base: { given: {}, named: byPlace },
    axes: [parseAxis('epochs=1,2')],
    search: { kind: 'grid' },
    settingsOf: async () => runSettings({ given: {}, named: byPlace }),
  });
  await assert.rejects(
    same,
    /^UsageError: Trials 1 \(epochs 1\) and 2 \(epochs 2\) are the same run: leave one of them out\.$/,
  );
  const out = await temporaryDirectory(t);
  await writeFile(join(out, 'run.json'), '{}');
  const options = {
    plan: await plan('epochs=1'),
    directory: out,
    runner: player([]),
    parallel: 1,
    fresh: false,
  };
  const context = { reporter: silentReporter, signal: new AbortController().signal };
  await assert.rejects(
    runSweep(options, context),
    /is the volume of a run: choose another directory with --out\.$/,
  );
});

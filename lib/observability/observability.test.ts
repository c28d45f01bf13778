/** Reporters and formats: what people and machines read of a running stage. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { type ProgressEvent, quietReporter, type RoundEvent } from './events.js';
import { formatBytes, formatTable, printable } from './format.js';
import { createHumanReporter } from './human-reporter.js';
import { formatProgress, formatRound, formatStanding } from './progress-line.js';

const halfway: ProgressEvent = {
  stage: 'train',
  client: 1,
  done: 50,
  total: 100,
  unit: 'examples',
  epoch: 1,
  epochs: 2,
  loss: 0.5,
  accuracy: 0.25,
  examplesPerSecond: 1234.4,
};

const round: RoundEvent = {
  round: 12,
  rounds: 50,
  metric: 'accuracy',
  value: 0.9432,
  change: -0.0004,
  best: { round: 7, value: 0.9501 },
  loss: 0.221,
  participation: { selected: 10, reported: 10, rejected: 1, missing: 0 },
  seconds: 1,
  isSkipped: false,
};

/** A stream that keeps what is written to it. */
function recorder() {
  const written: string[] = [];
  const write = (text: string) => written.push(text) > 0;
  return { stream: Object.assign(new EventEmitter(), { write }) as unknown as NodeJS.WriteStream, written };
}

describe('format', () => {
  it('shows progress in one line that fits, its figures whole', () => {
    const at = (width: number, event: ProgressEvent = halfway) =>
      formatProgress(event, { width, hasBar: true });
    assert.match(
      at(200),
      /^train client 1 +█{12}░{12} +50% +epoch 1\/2 +loss 0\.5000 +acc 0\.2500 +1234\/s$/,
    );
    assert.match(
      at(79),
      /^train client 1 +█{5,6}░{5,6} +50% +epoch 1\/2 +loss 0\.5000 +acc 0\.2500 +1234\/s$/,
    );
    assert.equal(at(39), 'train client 1 loss 0.5000 acc 0.2500');
    assert.equal(at(26), 'train client 1 acc 0.2500');
    assert.equal(at(8), 'train cl');
    for (let width = 1; width < 130; width++) assert.ok(at(width).length <= width, at(width));
    assert.match(at(200, { ...halfway, loss: null }), / loss not finite +acc 0\.2500 /);
    assert.match(at(200, { ...halfway, loss: 123456.7 }), / loss 1\.2e\+5 /);
    assert.match(
      at(200, { stage: 'download', done: 5e5, total: 1.17e7, unit: 'bytes' }),
      /4% +500\.0 kB of 11\.7 MB$/,
    );
    assert.match(at(200, { stage: 'aggregate', done: 0, total: 0, unit: 'models' }), /100% +0\/0 models$/);
  });

  it('shows a round in one line that fits, its figures whole', () => {
    const spent = { ...round, seconds: 754, secondsLeft: 28_652 };
    const at = (width: number, event: RoundEvent = spent) => formatRound(event, { width });
    assert.equal(
      at(110),
      'round 12/50       accuracy 0.9432  -0.0004  loss 0.2210  9/10 clients  12.6 min  8.0 h left',
    );
    assert.equal(at(79), 'round 12/50       accuracy 0.9432  -0.0004  loss 0.2210  9/10 clients  12.6 min');
    assert.equal(at(39), 'round 12/50 accuracy 0.9432 loss 0.2210');
    for (let width = 1; width < 130; width++) assert.ok(at(width).length <= width, at(width));
    const skipped = { ...round, seconds: 0.01, isSkipped: true };
    assert.equal(
      at(79, { ...skipped, loss: Number.NaN }),
      'round 12/50       accuracy 0.9432  -0.0004  loss not finite  9/10 clients',
    );
    assert.equal(
      at(110, skipped),
      'round 12/50       accuracy 0.9432  -0.0004  loss 0.2210  9/10 clients  done before: skipped',
    );
    assert.equal(
      at(110, { ...spent, metric: 'loss', value: 0.221, change: -0.1 }),
      'round 12/50       loss 0.2210  -0.1000  9/10 clients  12.6 min  8.0 h left',
    );
  });

  it('shows where the run stands between two rounds', () => {
    const at = (width: number, seconds: number) =>
      formatStanding({ ...round, seconds: 10, secondsLeft: 60 }, { width, seconds });
    assert.equal(at(79, 15.5), 'run               best accuracy 0.9501 in round 7  45 s left');
    assert.equal(at(79, 61), 'run               best accuracy 0.9501 in round 7');
    assert.equal(at(40, 1), 'run best accuracy 0.9501 in round 7');
    assert.equal(at(20, 1).trimEnd(), 'run');
  });

  it('paints a change for the better green, one for the worse red, and what is missing yellow', () => {
    const paint = (style: string, text: string) => `<${style} ${text}>`;
    const at = (event: Partial<RoundEvent>) =>
      formatRound({ ...round, seconds: 1, ...event }, { width: 79, paint });
    assert.equal(
      at({}),
      'round 12/50       <bold accuracy 0.9432>  <red -0.0004>  loss 0.2210  <yellow 9/10 clients>  <dim 1.0 s>',
    );
    assert.match(at({ metric: 'rmse' }), / <green -0\.0004> /);
    assert.match(at({ change: 0 }), / {2}\+0\.0000 {2}/);
    assert.match(at({ participation: { ...round.participation, rejected: 0 } }), / {2}10\/10 clients {2}/);
  });

  it('shows bytes in the unit that fits', () => {
    assert.deepEqual([0, 999, 1000, 11_725_087, 5e12].map(formatBytes), [
      '0 B',
      '999 B',
      '1.0 kB',
      '11.7 MB',
      '5.0 TB',
    ]);
  });

  it('shows a table with columns as wide as their widest cell', () => {
    assert.equal(formatTable(['a', 'long'], [['100', '1']]), '  a   long\n──────────\n100      1');
  });
});

describe('printable', () => {
  const cases: readonly (readonly [what: string, text: string, printed: string])[] = [
    ['plain text, lines, tabs and letters of any script', 'a\tb\nżółć 数字 👩‍🔬', 'a\tb\nżółć 数字 👩‍🔬'],
    ['our styles', '\u001B[31mred\u001B[39m', '\u001B[31mred\u001B[39m'],
    ['a cleared screen and a moved cursor', '\u001B[2J\u001B[1;1H', '␛[2J␛[1;1H'],
    ['a title of the window', '\u001B]0;x\u0007', '␛]0;x␇'],
    ['a line written over', 'good\rbad', 'good␍bad'],
    ['the short form of an escape, and delete', '\u009B2J\u007F', '\ufffd2J␡'],
    ['letters turned around', 'a\u202Eb\u2066c', 'a\ufffdb\ufffdc'],
  ];
  for (const [what, text, printed] of cases) it(what, () => assert.equal(printable(text), printed));
});

describe('human reporter where there is no terminal', () => {
  it('writes the first line of a stage, the last, few between', async () => {
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    for (let done = 0; done <= 100; done++) reporter.progress({ ...halfway, done });
    reporter.warn('careful');
    assert.equal(written.length, 3);
    assert.match(written[1] as string, /^train client 1 +100% +epoch 1\/2 .*acc 0\.2500 +1234\/s\n$/);
    assert.equal(written[2], 'warning: careful\n');
  });

  it('shows the control characters of names, and acts on none', async () => {
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    reporter.warn('shard \u001B[2J.npz');
    reporter.step('\u001B]0;x\u0007');
    assert.deepEqual(written, ['warning: shard ␛[2J.npz\n', '␛]0;x␇\n']);
  });

  it('writes a line again only when it has changed', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    const show = (done: number) =>
      reporter.progress({ stage: 'train', round: 1, rounds: 1, done, total: 3, unit: 'clients' });
    for (const done of [0, 1, 1, 1, 2, 2]) {
      show(done);
      t.mock.timers.tick(15_000);
    }
    assert.deepEqual(written, [
      'train round 1/1    33%  1/3 clients\n',
      'train round 1/1    66%  2/3 clients\n',
    ]);
  });

  it('writes of a short round its steps and its own line alone, whatever its clients tell', async () => {
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    for (let client = 0; client < 20; client++) {
      for (const done of [0, 50, 100]) reporter.progress({ ...halfway, client, round: 1, rounds: 2, done });
    }
    reporter.step('aggregate         round 1: 20 updates, done before: skipped');
    const { change, ...first } = round;
    const figures = { round: 1, rounds: 2, value: 0.5, loss: 1, seconds: 2, secondsLeft: 2 };
    reporter.round({ ...first, ...figures, isSkipped: true, isSettled: true });
    reporter.round({ ...first, ...figures });
    assert.deepEqual(written, [
      'aggregate         round 1: 20 updates, done before: skipped\n',
      'round 1/2         accuracy 0.5000  loss 1.0000  9/10 clients  2.0 s  2 s left\n',
    ]);
  });

  it('writes nothing of how far a trial is: its rounds are told', async () => {
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    for (const done of [0, 5, 10]) {
      reporter.progress({ stage: 'train', trial: 3, round: 1, rounds: 2, done, total: 10, unit: 'clients' });
    }
    assert.deepEqual(written, []);
  });

  it('writes warnings and errors alone where it is to be quiet', async () => {
    const { stream, written } = recorder();
    const reporter = quietReporter(await createHumanReporter(stream));
    reporter.info('Starting');
    reporter.progress({ ...halfway, done: 100 });
    reporter.step('aggregate');
    reporter.round(round);
    reporter.warn('careful');
    reporter.error('too late');
    reporter.close();
    assert.deepEqual(written, ['warning: careful\n', 'error: too late\n']);
  });
});

describe('json reporter', () => {
  it('writes one object per line to stderr, progress as events, the same one once', async () => {
    const module = new URL('./json-reporter.js', import.meta.url).href;
    const script = `import { createJsonReporter } from '${module}'; const r = createJsonReporter();
      const split = { stage: 'split', done: 1, total: 2, unit: 'shards' };
      const train = { stage: 'train', client: 1, done: 1, total: 2, unit: 'examples' };
      r.info('hello', { client: 3 }); for (const each of [split, train, split, train]) r.progress(each); r.error('bad');`;
    const { stderr, stdout } = await execa(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout, '');
    const lines = stderr.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ time, ...rest }) => ({ ...rest, timed: typeof time === 'string' })),
      [
        { level: 'info', client: 3, msg: 'hello', timed: true },
        { level: 'info', event: 'progress', stage: 'split', done: 1, total: 2, unit: 'shards', timed: true },
        {
          ...{ level: 'info', event: 'progress', stage: 'train', client: 1 },
          ...{ done: 1, total: 2, unit: 'examples', timed: true },
        },
        { level: 'error', msg: 'bad', timed: true },
      ],
    );
  });
});

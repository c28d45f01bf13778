/** Reporters and formats: what people and machines read of a running stage. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import type { ProgressEvent } from './events.js';
import { formatBytes, formatProgress, formatTable } from './format.js';
import { createHumanReporter } from './human-reporter.js';

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

/** A stream that keeps what is written to it. */
function recorder(given: Partial<NodeJS.WriteStream> = {}) {
  const written: string[] = [];
  const write = (text: string) => written.push(text) > 0;
  return { stream: { write, ...given } as unknown as NodeJS.WriteStream, written };
}

describe('format', () => {
  it('shows progress in one line that fits', () => {
    const line = formatProgress(halfway, 200);
    assert.match(line, /^train client 1 +█{12}░{12} +50% +epoch 1\/2 +loss 0\.5000 +acc 0\.2500 +1234\/s$/);
    assert.equal(formatProgress(halfway, 30).length, 30);
    assert.match(formatProgress({ ...halfway, loss: null }, 200), / loss NaN +acc 0\.2500 /);
    assert.match(
      formatProgress({ stage: 'download', done: 5e5, total: 1.17e7, unit: 'bytes' }, 200),
      /4% +500\.0 kB of 11\.7 MB$/,
    );
    assert.match(
      formatProgress({ stage: 'aggregate', done: 0, total: 0, unit: 'models' }, 200),
      /100% +0\/0 models$/,
    );
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

describe('human reporter', () => {
  it('writes plain lines where there is no terminal: the first, the last, few between', async () => {
    const { stream, written } = recorder();
    const reporter = await createHumanReporter(stream);
    for (let done = 0; done <= 100; done++) reporter.progress({ ...halfway, done });
    reporter.warn('careful');
    assert.equal(written.length, 3);
    assert.match(written[1] as string, /100%/);
    assert.equal(written[2], 'warning: careful\n');
  });

  it('redraws on a terminal, and keeps messages and finished lines above', async () => {
    const { stream, written } = recorder({
      isTTY: true,
      columns: 120,
      rows: 30,
    } as Partial<NodeJS.WriteStream>);
    const reporter = await createHumanReporter(stream);
    reporter.progress(halfway);
    reporter.info('between');
    reporter.progress({ ...halfway, done: 100 });
    reporter.close();
    const text = written.join('');
    assert.match(text, / 50% /);
    assert.match(text, /between\n/);
    assert.match(text, /100%.*\n/);
  });
});

describe('json reporter', () => {
  it('writes one object per line to stderr, progress as events', async () => {
    const module = new URL('./json-reporter.js', import.meta.url).href;
    const script = `import { createJsonReporter } from '${module}'; const r = createJsonReporter();
      r.info('hello', { client: 3 }); r.progress({ stage: 'split', done: 1, total: 2, unit: 'shards' }); r.error('bad');`;
    const { stderr, stdout } = await execa(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout, '');
    const lines = stderr.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ time, ...rest }) => ({ ...rest, timed: typeof time === 'string' })),
      [
        { level: 'info', client: 3, msg: 'hello', timed: true },
        { level: 'info', event: 'progress', stage: 'split', done: 1, total: 2, unit: 'shards', timed: true },
        { level: 'error', msg: 'bad', timed: true },
      ],
    );
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attackTable } from './attack-section.js';
import { dataRows } from './data-section.js';
import { haulTable } from './haul-section.js';
import { type JobFigures, jobRows, layouts } from './job-section.js';
import { memoryRows } from './memory-section.js';
import { programRow } from './programs-section.js';
import { type ServeFigures, serveRows } from './serve-section.js';
import { soakTable } from './soak-section.js';
import { requireSameModel, type StepFigures, stepRows } from './step-section.js';

test('a step table says how fast fedbatch is beside each of the others, round by round', () => {
  const figures = (examplesPerSecond: number): StepFigures => ({
    stepMs: 100_000 / examplesPerSecond,
    examplesPerSecond,
    firstStepSeconds: 0.5,
    parameters: 110_986,
    peakBytes: 200e6,
  });
  const rows = stepRows(
    {
      'fedbatch, ONNX engine': [600, 300, 660].map(figures),
      other: [500, 250, 500].map(figures),
    },
    2,
  );
  assert.deepEqual(rows, [
    ['fedbatch, ONNX engine', '2', '166.7 ms', '600', '', '0.50 s', '200.0 MB'],
    ['other', '2', '200.0 ms', '500', '1.20× as fast', '0.50 s', '200.0 MB'],
  ]);
});

test('programs are compared with a baseline round by round; a time alone has no other figures', () => {
  const samples = (
    ...figures: readonly (readonly [seconds: number, cpuSeconds: number, peakBytes: number])[]
  ) => figures.map(([seconds, cpuSeconds, peakBytes]) => ({ seconds, cpuSeconds, peakBytes }));
  const ours = samples([1, 0.5, 100e6], [3, 0.6, 110e6], [2, 0.9, 90e6]);
  assert.deepEqual(programRow(ours), ['2.00 s', '600 ms', '100.0 MB']);
  assert.deepEqual(programRow(ours, samples([2, 1, 200e6], [3, 1.2, 100e6], [8, 0.9, 100e6])), [
    ...['2.00 s', '600 ms', '100.0 MB', '3.00 s', '1.00 s', '100.0 MB'],
    ...['0.50×', '0.50×', '0.90×'],
  ]);
  assert.deepEqual(programRow([{ seconds: 0.01234 }], [{ seconds: 0.01 }]), [
    ...['12.3 ms', '', '', '10 ms', '', '', '1.23×', '–', '–'],
  ]);
});

test('a step is compared only where all sides train the same number of parameters', () => {
  const figures = { stepMs: 1, examplesPerSecond: 1, firstStepSeconds: 1, peakBytes: 1 };
  const side = (parameters: number): readonly StepFigures[] => [{ ...figures, parameters }];
  requireSameModel({ ours: side(7), theirs: side(7) });
  assert.throws(() => requireSameModel({ ours: side(7), theirs: side(8) }), /theirs trains 8 parameters/);
});

test("a memory table gives a stage's peak as a multiple of the model's file", () => {
  const samples = { train: [{ seconds: 2, ownProcessorSeconds: 3, peakBytes: 400e6 }] };
  assert.deepEqual(memoryRows(samples, { parameters: '25 million', fileBytes: 100e6 }), [
    ['25 million', '100.0 MB', 'train', '400.0 MB', '4.0×', '3.0 s', '2.0 s'],
  ]);
});

test("a job table gives fedbatch's time and memory as shares of the others'", () => {
  const figures = (seconds: number, peakBytes: number): JobFigures => ({
    seconds,
    trainSeconds: seconds - 1,
    peakBytes,
    trainerPeakBytes: peakBytes / 2,
    accuracy: 0.975,
  });
  const [ours, theirs] = jobRows({ 'fedbatch run': [figures(60, 300e6)], other: [figures(120, 900e6)] });
  assert.deepEqual(ours, ['fedbatch run', '60.0 s', '', '59.0 s', '300.0 MB', '', '150.0 MB', '97.50 %']);
  assert.deepEqual(theirs, [
    'other',
    '120.0 s',
    '0.50×',
    '119.0 s',
    '900.0 MB',
    '0.33×',
    '450.0 MB',
    '97.50 %',
  ]);
});

test('trainers share the cores without oversubscribing them', () => {
  assert.deepEqual(layouts(3, 2), [
    { jobs: 1, threads: 2 },
    { jobs: 2, threads: 1 },
  ]);
  assert.deepEqual(layouts(3, 1), [{ jobs: 1, threads: 1 }]);
  for (const { jobs, threads } of layouts(3, 16)) assert.ok(jobs * threads <= 16);
  assert.equal(layouts(3, 16).length, 3);
});

test('a serve table says how fast fedbatch answers beside the other server, and nothing beside its own uploads', () => {
  const figures = (perSecond: number): ServeFigures => ({
    perSecond,
    p50Ms: 2,
    p99Ms: 7,
    cpuMs: 0.5,
    peakBytes: 200e6,
  });
  const rows = serveRows({
    'predict, fedbatch': [2000, 3000, 2500].map(figures),
    'predict, other': [200, 300, 500].map(figures),
    'upload a PNG, fedbatch': [700].map(figures),
  });
  assert.deepEqual(rows, [
    ['predict, fedbatch', '2,500', '', '2 ms', '7 ms', '0.50 ms', '200.0 MB'],
    ['predict, other', '300', '10.00× as fast', '2 ms', '7 ms', '0.50 ms', '200.0 MB'],
    ['upload a PNG, fedbatch', '700', '', '2 ms', '7 ms', '0.50 ms', '200.0 MB'],
  ]);
});

test('a soak table tells how fast memory grew after the first minute', () => {
  const minutes = [900, 300, 302, 304].map((megabytes) => ({
    ...{ answered: 48_000, predictP99Ms: 4.5, uploadP99Ms: 9, mostBytes: 1e6 * (megabytes + 1) },
    meanBytes: megabytes * 1e6,
  }));
  const { rows, notes } = soakTable(minutes);
  assert.deepEqual(rows[0], ['1', '48,000', '4.5 ms', '9 ms', '900.0 MB', '901.0 MB']);
  assert.match(notes?.at(-1) ?? '', /grew by 2\.00 MB a minute/);
});

test('a table of attacks tells what honest clients met: the median of each round, and the most errors of any', () => {
  const figures = (p99: number, errors: number) => ({
    predictP99Ms: p99,
    uploadP99Ms: p99 * 2,
    probeP99Ms: p99 / 2,
    errors,
    answers: { 413: p99, 503: 1_000 },
    before: { heapBytes: 20e6, residentBytes: 200e6 },
    after: { heapBytes: p99 * 1e6, residentBytes: 250e6 },
    peakBytes: 300e6,
  });
  const { rows } = attackTable({
    none: [figures(10, 0)],
    bombs: [figures(30, 0), figures(20, 2), figures(90, 0)],
  });
  assert.deepEqual(rows, [
    [
      ...['none', '10.0 ms', '20.0 ms', '5.0 ms', '0', '503: 1,000, 413: 10'],
      ...['20.0 MB → 10.0 MB', '200.0 MB → 250.0 MB', '300.0 MB'],
    ],
    [
      ...['bombs', '30.0 ms', '60.0 ms', '15.0 ms', '2', '503: 3,000, 413: 140'],
      ...['20.0 MB → 30.0 MB', '200.0 MB → 250.0 MB', '300.0 MB'],
    ],
  ]);
});

test('a table of data says how fast each is beside the fastest peer at the same work', () => {
  const figures = (...seconds: readonly number[]) =>
    seconds.map((each) => ({ seconds: each, cpuSeconds: each / 2, peakBytes: 300e6 }));
  const samples = {
    'import: fedbatch': figures(9, 10, 20),
    'import: pandas': figures(40),
    'import: pyarrow': figures(5, 4, 6),
    'split: fedbatch': figures(20),
    'split: pyarrow and numpy': figures(10),
  };
  assert.deepEqual(dataRows(samples, { format: 'csv', fileBytes: 1e9 }), [
    ['csv, 1.0 GB', 'import: fedbatch', '10.0 s', '100', '0.50×', '5.0 s', '300.0 MB'],
    ['csv, 1.0 GB', 'import: pandas', '40.0 s', '25', '0.13×', '20.0 s', '300.0 MB'],
    ['csv, 1.0 GB', 'import: pyarrow', '5.0 s', '200', '1.00×', '2.5 s', '300.0 MB'],
    ['csv, 1.0 GB', 'split: fedbatch', '20.0 s', '50', '0.50×', '10.0 s', '300.0 MB'],
    ['csv, 1.0 GB', 'split: pyarrow and numpy', '10.0 s', '100', '1.00×', '5.0 s', '300.0 MB'],
  ]);
});

test('a long haul has a row for each sample, without the processes that were not there', () => {
  const figures = { bytes: 100e6, handles: 30 };
  const sample = { round: 50, seconds: 12.3, volumeBytes: 20e6, files: 70 };
  const table = haulTable({
    simulated: [
      {
        ...sample,
        processes: { run: figures, simulator: { bytes: 200e6, handles: 40 }, watch: figures, logs: figures },
      },
    ],
    byProcesses: [
      { ...sample, round: 5, processes: { run: figures, watch: figures, logs: { bytes: 0, handles: 0 } } },
    ],
    resumes: [{ rounds: 10, seconds: 1.234 }],
  });
  assert.deepEqual(table.rows, [
    [
      'simulated',
      '50',
      '12 s',
      '100.0 MB, 30',
      '200.0 MB, 40',
      '100.0 MB, 30',
      '100.0 MB, 30',
      '20.0 MB',
      '70',
    ],
    ['processes', '5', '12 s', '100.0 MB, 30', '', '100.0 MB, 30', '', '20.0 MB', '70'],
  ]);
  assert.match(table.notes?.at(-1) ?? '', /1\.23 s after 10 rounds/);
});

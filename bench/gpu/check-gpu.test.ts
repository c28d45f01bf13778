import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning } from '../../test/processes.js';
import { waitFor } from '../../test/runs.js';
import { projectRoot } from '../../test/sources.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { program } from '../section.js';
import { rowOf, runChecks, TINY } from './checks.js';
import { FailuresError, NotPossibleError, ProgramError, reasonIn, runLimited } from './limited.js';
import { driversIn, requireCard } from './machine.js';
import { formatResults, MACHINE, nameOf, type Results, type Row, WORKS, withCard } from './report.js';

const mapOf = (...files: readonly string[]) =>
  files.map((file) => `7f00-7f01 r-xp 00000000 fd:00 1   ${file}`).join('\n');
const VULKAN = { device: 'gpu', needsNvidia: false } as const;
const CUDA = { device: 'gpu', needsNvidia: true } as const;
const NVIDIA = '/usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.580.159.04';
const SWIFTSHADER = '/usr/lib/chromium/libvk_swiftshader.so';

test('the drivers of a process are told apart from all other libraries', () => {
  const others = ['/usr/lib/libvulkan.so.1.3.239', '/opt/libcudart.so.12', '/usr/lib/libc.so.6'];
  const drivers = [NVIDIA, '/usr/lib/libcuda.so.580.159.04', '/usr/lib/libvulkan_radeon.so', SWIFTSHADER];
  assert.deepEqual(
    driversIn(mapOf(...others, ...drivers, NVIDIA)),
    drivers.map((file) => file.slice(file.lastIndexOf('/') + 1)),
  );
});

test('a processor is no card, unless it was asked for', () => {
  const strict = (...files: readonly string[]) => ({ maps: mapOf(...files), allowsSoftware: false });
  assert.deepEqual(requireCard(VULKAN, strict(NVIDIA, '/usr/lib/libcuda.so.1')), [
    'libGLX_nvidia.so.580.159.04',
  ]);
  assert.deepEqual(requireCard(CUDA, strict(NVIDIA, '/usr/lib/libcuda.so.1')), ['libcuda.so.1']);
  assert.deepEqual(requireCard({ device: 'cpu', needsNvidia: false }, strict()), []);
  assert.throws(
    () => requireCard(VULKAN, strict('/usr/lib/libvulkan.so.1')),
    /no driver for Vulkan is loaded/,
  );
  assert.throws(() => requireCard(CUDA, strict(NVIDIA)), /no driver for CUDA is loaded/);
  assert.throws(
    () => requireCard(VULKAN, strict(NVIDIA, SWIFTSHADER)),
    /swiftshader\.so is loaded, which computes on/,
  );
  assert.throws(() => requireCard(VULKAN, strict('/usr/lib/libvulkan_lvp.so')), /computes on the processor/);
  assert.deepEqual(requireCard(VULKAN, { maps: mapOf(SWIFTSHADER), allowsSoftware: true }), [
    'libvk_swiftshader.so',
  ]);
});

test('of what a program wrote as it failed, the error is the reason', () => {
  const node = 'file:///a.js:3\n  throw x;\n  ^\n\nError: no card\n    at a.js:3\n\nNode.js v20.0.0\n';
  assert.equal(reasonIn(node), 'Error: no card');
  const python =
    'Traceback (most recent call last):\n  File "a.py"\ntorch.cuda.OutOfMemoryError: CUDA out of memory\n';
  assert.equal(reasonIn(python), 'torch.cuda.OutOfMemoryError: CUDA out of memory');
  assert.equal(reasonIn('warning\nPyTorch 2.11 sees no card\n'), 'PyTorch 2.11 sees no card');
  assert.equal(reasonIn('\n'), undefined);
});

test('what takes too long ends with all that it started, and what it had printed is kept', async () => {
  const child = 'setInterval(() => {}, 1000)';
  const parent = `const { pid } = require('node:child_process').spawn(process.execPath, ['-e', '${child}']);
    console.log(pid); setInterval(() => {}, 1000);`;
  const error = await runLimited(process.execPath, ['-e', parent], { limitMs: 2_000 }).catch((each) => each);
  assert.ok(error instanceof ProgramError);
  assert.equal(error.message, 'took more than 2 s');
  const pid = Number(error.stdout);
  assert.ok(pid > 0, error.stdout);
  // Killed by then; the system takes its time to end it.
  await waitFor(() => !isRunning(pid), 10_000);
});

test('a check is a row, whatever becomes of it', async () => {
  const row = async (run: () => Promise<never>, deadlineMs = performance.now() + 1000) => {
    const { seconds, ...rest } = await rowOf(
      { side: 'onnx/cuda', what: 'works', limit: 'works', run },
      { deadlineMs, patience: 1 },
    );
    assert.ok(seconds >= 0);
    return rest;
  };
  const base = { side: 'onnx/cuda', what: 'works' };
  const impossible = async () => Promise.reject(new NotPossibleError('no driver'));
  assert.deepEqual(await row(impossible), { ...base, status: 'not possible here', reason: 'no driver' });
  const broken = async () => Promise.reject(new Error('first line\nsecond'));
  assert.deepEqual(await row(broken), { ...base, status: 'failed', reason: 'first line' });
  const partly = async () => Promise.reject(new FailuresError('2 of 3 fail; a: x', ['a: x', 'b: y']));
  assert.deepEqual(await row(partly), {
    ...{ ...base, status: 'failed', reason: '2 of 3 fail; a: x' },
    failures: ['a: x', 'b: y'],
  });
  const late = await row(broken, performance.now() - 1);
  assert.deepEqual(late, { ...base, status: 'not possible here', reason: 'the time was up' });
});

test('checks that are chosen run alone, and each may take all of the time', async (t) => {
  const directory = await temporaryDirectory(t);
  const names = async (only: RegExp) => {
    const rows: Row[] = [];
    await runChecks({
      sizes: { ...TINY, patience: 0 },
      places: { data: 'none', loader: 'none', scratch: directory },
      deadlineMs: performance.now() + 60_000,
      only,
      tell: async (row) => {
        rows.push(row);
      },
    });
    // What all of them need is looked for, and which backends work: here it has no time.
    return rows
      .filter(({ side, what, status }) => (side !== MACHINE && what !== WORKS) || status === 'ran')
      .map((row) => [nameOf(row), row.status]);
  };
  assert.deepEqual(await names(/^onnx\/cpu, MLP/), [['onnx/cpu, MLP, batch 2', 'ran']]);
  assert.deepEqual(await names(/no such check/), []);
});

test('a profile tells which operators take the time of a step, and where they run', async () => {
  const args = [program('bench/gpu/profile'), 'onnx/cpu', 'dense', '1', '2', '2', '3'];
  const stdout = await runLimited(process.execPath, args, { limitMs: 60_000 });
  const profiles = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    profiles.map(({ batchSize, stepsMs }) => [batchSize, stepsMs.length]),
    [
      [2, 2],
      [3, 2],
    ],
  );
  for (const { kinds, onProcessor, operatorsMs } of profiles) {
    assert.ok(operatorsMs > 0);
    // A layer's product: forward, and the gradients of its kernel and of what it reads.
    for (const list of [kinds, onProcessor])
      assert.ok(
        list.some(({ label, runs }: { label: string; runs: number }) => label === 'Gemm on CPU' && runs >= 3),
      );
  }
});

const RESULTS: Results = {
  ...{
    date: '2026-11-27T16:00:00.000Z',
    fedbatch: '0.1.0 (abc)',
    card: 'NVIDIA H100 80GB HBM3',
    tiny: false,
  },
  machine: '16 cores of something',
  rows: [
    {
      side: 'machine',
      what: 'NVIDIA card',
      seconds: 1,
      status: 'ran',
      shown: 'NVIDIA H100, 580.1',
      figures: {},
    },
    { side: 'machine', what: 'Vulkan', seconds: 1, status: 'not possible here', reason: 'no loader' },
    { side: 'onnx/cuda', what: 'works', seconds: 1, status: 'ran', shown: 'yes', figures: {} },
    { side: 'onnx/cuda', what: 'CNN, batch 100', seconds: 1, status: 'failed', reason: 'out of memory' },
    {
      side: 'PyTorch 2.11',
      what: 'CNN, batch 100',
      seconds: 1,
      status: 'ran',
      shown: '9,000 img/s',
      figures: {},
    },
  ],
};

test('results become a table, with the reason of whatever did not run', () => {
  assert.equal(
    formatResults(RESULTS),
    [
      '|  | works | CNN, batch 100 |',
      '| --- | --- | --- |',
      '| `onnx/cuda` | yes | failed |',
      '| PyTorch 2.11 | – | 9,000 img/s |',
      '',
      '- Vulkan: not possible here: no loader',
      '- onnx/cuda, CNN, batch 100: failed: out of memory',
      '',
      '*2026-11-27, fedbatch 0.1.0 (abc); 16 cores of something. NVIDIA card: NVIDIA H100, 580.1.*',
    ].join('\n'),
  );
});

test('the guide takes the figures of a card, takes them anew, and takes another card beside it', () => {
  const guide = readFileSync(join(projectRoot, 'docs', 'GPU.md'), 'utf8');
  const once = withCard(guide, RESULTS);
  assert.ok(
    once.includes('### NVIDIA H100 80GB HBM3\n\n<!-- bench:gpu-nvidia-h100-80gb-hbm3 -->\n|  | works |'),
  );
  assert.equal(withCard(once, RESULTS), once);
  const other = withCard(once, { ...RESULTS, card: 'NVIDIA L4', machine: 'another' });
  assert.ok(other.includes('16 cores of something') && other.includes('another'));
  assert.ok(other.indexOf('### NVIDIA H100') < other.indexOf('### NVIDIA L4'));
  assert.throws(() => withCard(guide, { ...RESULTS, card: null }), /without a card/);
  assert.throws(() => withCard(guide, { ...RESULTS, tiny: true }), /a try-out/);
  assert.throws(() => withCard(guide, { ...RESULTS, only: 'suite' }), /some checks alone: suite/);
});

/** `fedbatch doctor` as a program: its table, its JSON, its exit codes; and trials of programs that hang or crash. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { BACKEND_REGISTRY, backendTitle } from '../lib/engine/engine-registry.js';
import { trialInChild } from '../lib/engine/trial-process.js';
import type { Findings } from '../lib/formats/findings.js';
import { runProgramFile } from '../test/programs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { formatFindings } from './report.js';

const onnxCpu = BACKEND_REGISTRY.find((each) => backendTitle(each) === 'onnx/cpu');

test('it measures what works, and finds the machine', async () => {
  const { exitCode, stdout, stderr } = await runProgramFile('doctor/cli', [
    ...['--json', '--engine', 'onnx', '--backend', 'cpu', '--threads', '1'],
  ]);
  assert.equal(exitCode, 0, stderr);
  const { machine, backends, chosen } = JSON.parse(stdout) as Findings;
  assert.equal(machine.node, process.versions.node);
  assert.ok(machine.cores >= 1 && machine.cores <= availableParallelism());
  assert.ok(machine.memoryBytes > 1e8);
  const [row] = backends;
  assert.ok(row !== undefined && backends.length === 1);
  assert.deepEqual(
    [row.engine, row.backend, row.works, row.installed, row.threads, row.batch, row.install],
    ['onnx', 'cpu', true, true, 1, 100, null],
  );
  assert.match(row.version ?? '', /^\d+\.\d+\.\d+$/);
  assert.ok(row.imagesPerSecond !== null && row.imagesPerSecond > 1, stdout);
  assert.match(row.blockedImages ?? '', /^(yes, of \d+ channels|no: .+)$/);
  assert.deepEqual(chosen, { engine: 'onnx/cpu', why: 'as asked' });
});

test('for people: a row per backend, what auto takes, what to install', async () => {
  // Node's test runner asks for colours where it has a terminal itself.
  const env = { FORCE_COLOR: undefined };
  const { exitCode, stdout } = await runProgramFile('doctor/cli', ['--quick'], { env });
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Machine\n {2}Node +\d+\.\d+\.\d+ on /);
  for (const each of BACKEND_REGISTRY)
    assert.ok(stdout.includes(`  ${backendTitle(each)} `), backendTitle(each));
  assert.match(stdout, /^ {2}✓ {2}onnx\/cpu +\d+\.\d+\.\d+ +CPU +\d+/m);
  assert.match(stdout, /^Chosen {2}\S+ {2}\(auto.*\)$/m);
  assert.match(stdout, /^To install\n(.*\n)* {2}.*npm install @tensorflow\/tfjs-node-gpu@4\.22\.0$/m);
  assert.ok(!stdout.includes('\u001b'), 'no colours where no terminal reads');
});

test('colours may be asked for where no terminal reads', async () => {
  const flags = ['--quick', '--engine', 'onnx', '--backend', 'cpu'];
  const { stdout } = await runProgramFile('doctor/cli', flags, { env: { FORCE_COLOR: '1' } });
  assert.ok(stdout.startsWith('\u001b[1mMachine\u001b[22m\n'), stdout);
});

test('a terminal gets colours, and rows that fit', () => {
  const findings: Findings = {
    machine: {
      node: '20.0.0',
      platform: 'linux x64',
      processor: 'a processor',
      processors: 16,
      cpuLimit: 0.5,
      cores: 1,
      memoryBytes: 8e9,
      memoryLimitBytes: 1e9,
      gpus: ['NVIDIA Something'],
    },
    backends: [
      {
        engine: 'onnx',
        backend: 'cuda',
        device: 'gpu',
        installed: true,
        version: '1.2.3',
        works: false,
        session: null,
        threads: 1,
        imagesPerSecond: null,
        batch: null,
        reason: 'a reason that goes on and on '.repeat(10),
        blockedImages: null,
        install: null,
      },
    ],
    chosen: { engine: null, why: 'nothing works' },
  };
  const text = formatFindings(findings, { color: true, measured: true, width: 80 });
  assert.match(text, /1 to use \(16 processors, limited to 0\.5 by the container\)/);
  assert.match(text, /8\.0 GB, limited to 1\.0 GB/);
  const plain = formatFindings(findings, { color: false, measured: true, width: 80 });
  const row = plain.split('\n').find((line) => line.includes('onnx/cuda')) ?? '';
  assert.ok(row.length <= 80 && row.endsWith('…'), row);
  assert.ok(row.startsWith('  ✗'), 'a GPU that is there and does not work is a fault');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape that starts a colour
  assert.equal(text.replaceAll(/\u001b\[\d+m/g, ''), plain);
  assert.notEqual(text, plain);
});

test('a trial ends, whatever the program does', async (t) => {
  const directory = await temporaryDirectory(t);
  assert.ok(onnxCpu !== undefined);
  const works = `console.log('a library greets'); console.log('{"kind":"works","session":"s"}');`;
  for (const [name, text, expected] of [
    ['hangs', `setInterval(() => {}, 1000);`, { works: false, reason: 'took more than 1 s' }],
    ['crashes', 'process.abort();', { works: false, reason: 'crashed (SIGABRT)' }],
    ['exits', 'process.exit(9);', { works: false, reason: 'ended with exit code 9' }],
    ['says nothing', '', { works: false, reason: 'it said nothing' }],
    ['works', works, { works: true, session: 's' }],
    [
      'crashes while it is measured',
      `${works} setTimeout(() => process.abort(), 100);`,
      { works: true, session: 's', notMeasured: 'crashed (SIGABRT)' },
    ],
  ] as const) {
    const file = join(directory, `${name.replaceAll(' ', '-')}.mjs`);
    await writeFile(file, text);
    const measureSeconds = name.includes('measured') ? 1 : 0;
    const program = pathToFileURL(file);
    // Only what hangs is meant to run out of time, however long the others take to start.
    const timeoutMs = name === 'hangs' ? 1_000 : 120_000;
    const found = await trialInChild(onnxCpu, { program, measureSeconds, timeoutMs });
    assert.deepEqual(found, expected, name);
  }
});

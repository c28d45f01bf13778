/** `--engine` and `--backend` through the real programs: what runs, what is refused and how, on broken machines too. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { labelledImages } from '../lib/federation/examples.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readRoundRecord, readRunRecord } from '../lib/formats/run-record.js';
import { hasNvidiaDriver } from '../lib/system/hardware.js';
import { copyHouse, writePackages } from './house-copy.js';
import { lastLine, quarterExamples, runProgramFile } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';

const noGpu = hasNvidiaDriver() ? 'this machine has an NVIDIA driver' : false;

let directory: string;
let shard: string;
let model: string;
const path = (name: string) => join(directory, name);

before(async () => {
  directory = sharedDirectory();
  shard = path('0.npz');
  model = path('model.h5');
  await writeShard(shard, quarterExamples(120, 1));
  const trained = await train('--out', model);
  assert.equal(trained.exitCode, 0, trained.stderr);
});

function train(...args: readonly string[]) {
  const small = ['--data', shard, '--model', 'mlp', '--epochs', '1', '--batch', '40', '--threads', '1'];
  return runProgramFile('trainer/cli', [...small, '--out', path('update.h5'), ...args]);
}

const engineOf = (stdout: string) => (JSON.parse(lastLine(stdout)) as { engine: string }).engine;

test('copies that a published package carries are taken there, and not in a checkout where a killed pack left them', async () => {
  const house = path('house');
  const program = await copyHouse(house, {});
  await writePackages(join(house, 'dist', 'vendor', 'any'), { 'onnxruntime-node': '' });
  const url = pathToFileURL(program('lib/engine/installed-package'));
  const script = `import { findPackage, isPublished } from ${JSON.stringify(url.href)};
    console.log(isPublished(), findPackage('onnxruntime-node').version);`;
  const found = async () => (await execa(process.execPath, ['--input-type=module', '-e', script])).stdout;
  assert.equal(await found(), 'true 0.0.0');
  await writeFile(join(house, 'tsconfig.json'), '{}');
  assert.match(await found(), /^false [1-9]/);
});

describe('--engine and --backend', () => {
  it('run what is asked for, and the trainer says what it was', async () => {
    for (const [args, expected] of [
      [['--engine', 'onnx', '--backend', 'wasm'], /^onnx\/wasm$/],
      [['--engine', 'tensorflow', '--backend', 'cpu'], /^tensorflow\/cpu$/],
      [['--engine', 'onnx', '--backend', 'cpu'], /^onnx\/cpu/],
    ] as const) {
      const { exitCode, stdout, stderr } = await train(...args);
      assert.equal(exitCode, 0, stderr);
      assert.match(engineOf(stdout), expected);
      assert.match(stderr, /client 0: training on \S+ \(as asked\), 1 thread, /);
    }
  });

  it('give the evaluator the same figures on every engine', async () => {
    const figures = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await runProgramFile('evaluator/cli', [
        ...['--model', model, '--data', shard, '--out', path('accuracy.json'), ...args],
        ...['--threads', '1'],
      ]);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /^testing on \S+ \(.+\)$/m);
      return lastLine(stdout).replace(/ - \d+s - /, ' - ');
    };
    const auto = await figures();
    assert.equal(await figures('--engine', 'onnx', '--backend', 'wasm'), auto);
    assert.equal(await figures('--engine', 'tensorflow', '--backend', 'cpu'), auto);
  });

  it('leave it to the machine by default, and one line says why', { skip: noGpu }, async () => {
    const { stdout, stderr } = await train();
    assert.match(engineOf(stdout), /^onnx\/cpu/);
    assert.match(stderr, /training on onnx\/cpu.* \(auto: there is no NVIDIA driver here\)/);
  });
});

describe('an engine that does not work here', () => {
  const programs = [
    ['trainer/cli', () => ['--data', shard, '--out', path('never.h5')]],
    ['evaluator/cli', () => ['--model', model, '--data', shard, '--out', path('never.json')]],
    ['server/cli', () => ['--model', model, '--port', '0']],
    ['pipeline/cli', () => ['--data', shard, '--volume', path('never')]],
  ] as const;

  for (const [program, args] of programs) {
    it(`is refused by ${program} with the command that installs it`, async () => {
      for (const [flags, expected] of [
        [
          ['--engine', 'tensorflow', '--backend', 'node-gpu'],
          /tensorflow\/node-gpu is not available: .*npm install @tensorflow\/tfjs-node-gpu@4\.22\.0/,
        ],
        [['--backend', 'cuda'], /onnx\/cuda is not available: .*ONNXRUNTIME_NODE_INSTALL=cuda12 node /],
        [
          ['--engine', 'tensorflow'],
          /engine tensorflow is not available: .*npm install @tensorflow\/tfjs-node@4\.22\.0/,
        ],
      ] as const) {
        const { exitCode, stdout, stderr } = await runProgramFile(program, [...args(), ...flags]);
        assert.equal(exitCode, 2, stderr);
        assert.match(stderr, expected);
        assert.doesNotMatch(stderr, /\n\s+at /);
        assert.equal(stdout, '');
      }
      assert.ok(!existsSync(path('never.h5')) && !existsSync(path('never.json')));
      assert.ok(!existsSync(path('never')), 'a run does not begin');
    });
  }

  it('is a mistake of usage where the engine has no such backend', async () => {
    const { exitCode, stderr } = await train('--engine', 'onnx', '--backend', 'node');
    assert.equal(exitCode, 2);
    assert.match(stderr, /The engine onnx has no backend node: expected cuda, webgpu, cpu, wasm/);
    const unknown = await train('--engine', 'torch');
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, /Allowed choices are auto, tensorflow, onnx/);
  });
});

describe('a model with a layer that only Keras knows', () => {
  let foreign: string;
  before(async () => {
    foreign = path('foreign.h5');
    const [height, width, classes] = [3, 2, 2];
    const layers = [
      { class_name: 'InputLayer', config: { name: 'input_1', batch_input_shape: [null, height, width, 1] } },
      // Pools of one number each: only TensorFlow.js has the class.
      { class_name: 'Reshape', config: { name: 'volume', target_shape: [height, width, 1, 1] } },
      { class_name: 'MaxPooling3D', config: { name: 'same', pool_size: [1, 1, 1], strides: [1, 1, 1] } },
      { class_name: 'Reshape', config: { name: 'flat', target_shape: [height * width] } },
      {
        class_name: 'Dense',
        config: { name: 'out', units: classes, activation: 'softmax', use_bias: false },
      },
    ];
    const features = height * width;
    await writeKerasFile(foreign, {
      modelConfig: { class_name: 'Sequential', config: { name: 'm', layers } },
      kerasVersion: '2.15.0',
      weights: [
        {
          name: 'out/kernel:0',
          shape: [features, classes],
          values: Float32Array.from({ length: features * classes }, (_, at) => at % 3),
        },
      ],
    });
    const images = new Float32Array(4 * features).fill(0.5);
    const labels = Int32Array.of(0, 1, 0, 1);
    await writeShard(path('foreign.npz'), labelledImages([4, height, width, 1], images, labels));
  });
  const evaluate = async (...args: readonly string[]) => {
    return runProgramFile('evaluator/cli', [
      ...['--model', foreign, '--data', path('foreign.npz'), '--out', path('foreign.json'), ...args],
    ]);
  };

  it('runs on TensorFlow, by itself where it is installed', async () => {
    const asked = await evaluate('--engine', 'tensorflow', '--backend', 'cpu');
    assert.equal(asked.exitCode, 0, asked.stderr);
    assert.match(asked.stderr, /^testing on tensorflow\/cpu \(as asked\)$/m);
    const byBackend = await evaluate('--backend', 'cpu');
    assert.equal(byBackend.exitCode, 0, byBackend.stderr);
    assert.match(byBackend.stderr, /^testing on tensorflow\/cpu \(as asked, because layer /m);
  });

  it('is refused with the layer by name elsewhere', async () => {
    const onnx = await evaluate('--engine', 'onnx');
    assert.equal(onnx.exitCode, 2);
    assert.match(onnx.stderr, /engine onnx is not available: layer \S+ .*The engine tensorflow may know it/);
  });

  it('takes what there is, plain JavaScript at worst, and says what is faster', async () => {
    for (const flags of [[], ['--engine', 'tensorflow']]) {
      const { exitCode, stderr } = await evaluate(...flags);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /^testing on tensorflow\//m);
      if (!stderr.includes('tensorflow/cpu')) continue;
      assert.match(
        stderr,
        /hundreds of times slower than others; npm install @tensorflow\/tfjs-node@\S+ makes it faster/,
      );
    }
  });

  it('says what to install where no TensorFlow.js is', async () => {
    const program = await copyHouse(sharedDirectory(), { '@tensorflow/tfjs': null });
    const { exitCode, stderr } = await execa(
      process.execPath,
      [
        program('evaluator/cli'),
        '--model',
        foreign,
        '--data',
        path('foreign.npz'),
        '--out',
        path('never.json'),
      ],
      { reject: false },
    );
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /needed because layer \S+ .*npm install @tensorflow\/tfjs-node@/);
  });
});

describe('on a machine where something is broken', () => {
  const BROKEN = `throw new Error('libfoo.so.1: cannot open shared object file');`;

  it('auto goes on without the native library, on WebAssembly', { skip: noGpu }, async () => {
    const program = await copyHouse(sharedDirectory(), { 'onnxruntime-node': BROKEN });
    const { stdout, stderr } = await execa(process.execPath, [
      program('trainer/cli'),
      ...['--data', shard, '--model', 'mlp', '--epochs', '1', '--out', path('wasm.h5')],
      ...['--threads', '1'],
    ]);
    assert.equal(engineOf(stdout), 'onnx/wasm');
    assert.match(stderr, /onnx\/cpu: .*libfoo\.so\.1: cannot open shared object file/);
  });

  it('doctor says that nothing works, and auto is an error', async () => {
    const program = await copyHouse(sharedDirectory(), {
      'onnxruntime-node': null,
      'onnxruntime-web': null,
      '@tensorflow/tfjs': null,
    });
    const doctor = await execa(process.execPath, [program('doctor/cli'), '--quick', '--json'], {
      reject: false,
    });
    assert.equal(doctor.exitCode, 2, doctor.stderr);
    const { backends, chosen } = JSON.parse(doctor.stdout);
    assert.ok(backends.every(({ works }: { works: boolean }) => !works));
    assert.equal(chosen.engine, null);
    assert.match(doctor.stderr, /onnx\/cpu: onnxruntime-node is not installed/);
  });

  it('a backend that crashes is passed over, and a row of the doctor', async () => {
    const folder = path('crashing');
    await mkdir(join(folder, 'node_modules'), { recursive: true });
    await writePackages(join(folder, 'node_modules'), {
      '@tensorflow/tfjs-backend-webgpu': '',
      webgpu: 'process.abort();',
      '@tensorflow/tfjs-node': BROKEN,
    });
    const env = { FEDBATCH_TENSORFLOW: folder };
    const doctor = await runProgramFile('doctor/cli', ['--quick', '--json', '--engine', 'tensorflow'], {
      env,
    });
    const { backends } = JSON.parse(doctor.stdout) as { backends: { backend: string; reason: string }[] };
    const reasonOf = (name: string) => backends.find(({ backend }) => backend === name)?.reason ?? '';
    assert.match(reasonOf('webgpu'), /^crashed \(SIGABRT\)$/);
    assert.match(reasonOf('node'), /libfoo\.so\.1: cannot open shared object file/);
    const trained = await runProgramFile(
      'trainer/cli',
      ['--data', shard, '--engine', 'tensorflow', '--out', path('never.h5')],
      { env },
    );
    assert.equal(trained.exitCode, 2);
    assert.match(trained.stderr, /tensorflow\/webgpu: crashed \(SIGABRT\); tensorflow\/node: .*libfoo/);
  });
});

describe('fedbatch run', () => {
  it('passes the engine on, records it, and takes another one for another run', async () => {
    const run = (...args: readonly string[]) =>
      runProgramFile('pipeline/cli', [
        ...['--data', shard, '--model', 'mlp', '--clients', '1', '--epochs', '1', '--volume', path('run')],
        ...['--threads', '1', ...args],
      ]);
    const first = await run('--engine', 'tensorflow', '--backend', 'cpu');
    assert.equal(first.exitCode, 0, first.stderr);
    assert.match(first.stderr, /^train +on tensorflow\/cpu \(as asked\)$/m);
    const { settings } = await readRunRecord(path('run/run.json'));
    assert.deepEqual(settings.engine, { name: 'tensorflow', backend: 'cpu' });
    const round = await readRoundRecord(path('run/rounds/0001/round.json'));
    assert.equal(round.reported[0]?.engine, 'tensorflow/cpu');
    const other = await run();
    assert.equal(other.exitCode, 2);
    assert.match(other.stderr, /--backend cpu, now not given; --engine tensorflow, now auto/);
    const same = await run('--engine', 'tensorflow', '--backend', 'cpu');
    assert.match(same.stderr, /train +round 1: 1 client, done before: skipped/);
  });
});

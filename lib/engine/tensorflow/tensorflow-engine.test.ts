/** Loading TensorFlow.js: what is missing is named with the command that installs it, and nothing is printed. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { randomStream } from '../../core/random.js';
import { sizeOf } from '../../core/weights.js';
import { maskMaker } from '../../model/graph/dropout-mask.js';
import { describeModel } from '../../model/model-zoo.js';
import { initialWeights } from '../../model/parameters.js';
import { assertClose, gradient, predict } from '../conformance/engine-runs.js';
import { EngineUnavailableError } from '../engine.js';
import { plainOnnxEngine } from '../onnx/onnx-engine.js';
import { installCommand, TENSORFLOW_BACKENDS } from './backends.js';
import { restoreRemovedUtilities } from './runtime.js';
import { loadTensorflowEngine } from './tensorflow-engine.js';

const ENGINE = new URL('./tensorflow-engine.js', import.meta.url).href;

/** Runs a module in a process of its own, with the engine's loader at hand. */
const run = (code: string) =>
  execa(
    process.execPath,
    ['--input-type=module', '--eval', `import { loadTensorflowEngine } from '${ENGINE}';\n${code}`],
    { reject: false },
  );

describe('loading', () => {
  it('prints nothing on the cpu backend, and ends by itself', async () => {
    const { stdout, stderr, exitCode } = await run(`
      const engine = await loadTensorflowEngine('cpu');
      const dense = { kind: 'dense', name: 'd', units: 2, useBias: false, activation: 'softmax' };
      const description = {
        name: 'm',
        inputs: [{ name: 'x', shape: [2] }],
        layers: [dense],
        calls: [{ layer: 'd', inputs: ['x'], output: 'd' }],
        outputs: ['d'],
      };
      const weights = [{ name: 'd/kernel:0', shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }];
      const session = await engine.createPredictSession({ description, weights }, { threads: 1 });
      await session.predict([Float32Array.of(1, 2)], 1);
      await session.dispose();
    `);
    assert.deepEqual({ stdout, stderr, exitCode }, { stdout: '', stderr: '', exitCode: 0 });
  });

  it('names what to install where a package is missing', async () => {
    // Of the native packages at most one is installed, and none beside a plain checkout.
    const missing = await Promise.all(
      (['node', 'node-gpu'] as const).map((backend) =>
        loadTensorflowEngine(backend).then(
          () => undefined,
          (error: unknown) => ({ backend, error }),
        ),
      ),
    );
    const failures = missing.filter((each) => each !== undefined);
    assert.ok(failures.length > 0);
    for (const { backend, error } of failures) {
      assert.ok(error instanceof EngineUnavailableError);
      if (!/not installed/.test(error.message)) continue;
      assert.ok(error.message.endsWith(`install it with: ${installCommand(backend)}`), error.message);
    }
    assert.equal(installCommand('node-gpu'), 'npm install @tensorflow/tfjs-node-gpu@4.22.0');
  });

  it('has an install command for every backend', () => {
    for (const backend of TENSORFLOW_BACKENDS) {
      assert.match(installCommand(backend), /^npm install( (@tensorflow\/)?[a-z-]+@\d+\.\d+\.\d+)+$/);
    }
  });
});

describe('a Normalization by known means', () => {
  it('predicts and trains as with the ONNX engine, on rows and on sequences', async () => {
    const tensorflow = await loadTensorflowEngine('cpu');
    const scale = { mean: [5e4, 50], variance: [9e8, 400] };
    const rows = {
      inputs: [
        { name: 'numbers', shape: [2], scale },
        { name: 'days', shape: [3, 2], scale },
      ],
    };
    for (const [name, task] of [
      ['mlp', { inputShape: [2], ...rows }],
      ['lstm', { inputShape: [3, 2], scale }],
    ] as const) {
      const description = describeModel(name, { ...task, outputs: 3 }, [4]);
      const model = { description, weights: initialWeights(description, 7) };
      const random = randomStream(3, name);
      const count = 6;
      const batch = {
        count,
        inputs: description.inputs.map(({ shape }) =>
          Float32Array.from({ length: count * sizeOf(shape) }, (_, at) =>
            at % 2 === 0 ? 1e4 + 9e4 * random.uniform() : 18 + 70 * random.uniform(),
          ),
        ),
        targets: [Int32Array.from({ length: count }, (_, at) => at % 3)],
      };
      const what = { what: name, tolerance: 1e-4 };
      assertClose(
        await predict(tensorflow, model, batch),
        await predict(plainOnnxEngine, model, batch),
        what,
      );
      const [ours, theirs] = [
        await gradient(plainOnnxEngine, model, batch),
        await gradient(tensorflow, model, batch),
      ];
      for (const [at, values] of ours.gradients.entries()) assertClose(theirs.gradients[at], values, what);
    }
  });
});

describe('compatibility', () => {
  it("puts back Node's isNullOrUndefined where it is gone", () => {
    const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
    const original = util.isNullOrUndefined;
    try {
      delete util.isNullOrUndefined;
      restoreRemovedUtilities();
      const restored = util.isNullOrUndefined as (value: unknown) => boolean;
      assert.deepEqual([null, undefined, 0, ''].map(restored), [true, true, false, false]);
    } finally {
      if (original !== undefined) util.isNullOrUndefined = original;
    }
  });
});

describe('dropout masks', () => {
  it('keep their share of the inputs, scaled so that the mean stays', () => {
    const rate = 0.3;
    const random = randomStream(1, 'rows');
    const seeds = Uint32Array.from({ length: 50 }, () => random.uint32());
    const mask = maskMaker({ rate, salt: 3, shape: [8, 8, 5] })(seeds);
    const kept = mask.filter((value) => value !== 0);
    assert.ok(kept.every((value) => Math.abs(value - 1 / 0.7) < 1e-6));
    const expected = 0.7 * mask.length;
    assert.ok(Math.abs(kept.length - expected) < 6 * Math.sqrt(mask.length * 0.3 * 0.7), `${kept.length}`);
  });
});

/** Every backend computes the same, and one that is absent says so: WebAssembly and GPUs in the slow tier. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { writePackages } from '../../../test/house-copy.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { EngineUnavailableError } from '../engine.js';
import { loadOnnxEngine } from './onnx-engine.js';

describe('the ONNX engine on WebAssembly', () => {
  it('needs no native library', async (t) => {
    const folder = await temporaryDirectory(t);
    await writePackages(join(folder, 'node_modules'), {
      'onnxruntime-node': `throw new Error('libonnxruntime.so.1: cannot open shared object file');`,
    });
    const script = `
      const { loadOnnxEngine } = await import(${JSON.stringify(new URL('onnx-engine.js', import.meta.url).href)});
      console.log((await loadOnnxEngine('wasm')).name);
      await loadOnnxEngine('cpu').catch((error) => console.log(error.name, error.message));
    `;
    const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', script], {
      env: { FEDBATCH_TENSORFLOW: folder },
    });

    const [wasm, native = ''] = stdout.split('\n');
    assert.equal(wasm, 'onnx/wasm');
    assert.match(native, /^EngineUnavailableError .*onnx\/cpu .*cannot open shared object file.*wasm/);
  });
});

/** Why a backend is not here, or undefined. */
const refusal = (backend: 'cuda' | 'webgpu') =>
  loadOnnxEngine(backend).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a backend that is not here', () => {
  for (const [backend, advice] of [
    ['cuda', /ONNXRUNTIME_NODE_INSTALL=cuda12 .*NVIDIA driver/],
    ['webgpu', /adapter.*Vulkan/],
  ] as const) {
    it(`is an error that says what to install: ${backend}`, async (test) => {
      const error = await refusal(backend);
      if (error === undefined) {
        test.skip(`this machine has ${backend}`);
        return;
      }
      assert.ok(error instanceof EngineUnavailableError, String(error));
      assert.equal(error.engine, `onnx/${backend}`);
      assert.match(error.message, advice);
      assert.doesNotMatch(error.message, /onnxruntime_src|\n/);
    });
  }
});

/**
 * The ONNX engine on GPUs computes what it does on the processor. Where there is no GPU, WebGPU is checked in software:
 * by SwiftShader, which Debian's chromium brings along.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Comparison } from '../../../test/programs/onnx-device.js';

const PROGRAM = fileURLToPath(new URL('../../../test/programs/onnx-device.js', import.meta.url));
/** Other hardware sums in another order; batch statistics of few examples make that larger. */
const TOLERANCE = 1e-3;

const CHROMIUM = '/usr/lib/chromium';
const SWIFT_SHADER = {
  VK_ICD_FILENAMES: `${CHROMIUM}/vk_swiftshader_icd.json`,
  LD_LIBRARY_PATH: [CHROMIUM, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
};

async function compareOn(backend: string, env: NodeJS.ProcessEnv = {}): Promise<readonly Comparison[]> {
  const { stdout } = await execa(process.execPath, [PROGRAM, backend], { env, timeout: 600_000 });
  return stdout.split('\n').map((line) => JSON.parse(line) as Comparison);
}

describe('the ONNX engine on a device', () => {
  for (const backend of ['webgpu', 'cuda']) {
    it(`computes what it does on the processor: ${backend}`, async (test) => {
      let comparisons = await compareOn(backend);
      if (comparisons[0]?.error !== undefined && backend === 'webgpu' && existsSync(CHROMIUM)) {
        comparisons = await compareOn(backend, SWIFT_SHADER);
      }
      const [first, ...others] = comparisons;
      if (first?.error !== undefined) {
        test.skip(first.error);
        return;
      }
      assert.ok(others.length > 20);
      for (const { name, difference = Number.NaN, error } of others) {
        assert.ok(difference < TOLERANCE, `${name}: ${error ?? difference}`);
      }
    });
  }
});

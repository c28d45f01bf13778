/** Google's own Python client of TensorFlow Serving against a running server: scripts/interop-serving.sh. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { preprocess } from '../lib/digits/preprocess.js';
import { decodeImage } from '../server/pictures/decode-image.js';
import { digitPng } from '../server/testing/segment-digits.js';
import { serveApp, serveGrpc } from '../server/testing/served-app.js';
import { projectRoot } from './sources.js';
import { temporaryDirectory } from './temporary-directory.js';

const python = process.env.FEDBATCH_SERVING_PYTHON;
const skip = python === undefined && 'FEDBATCH_SERVING_PYTHON names no Python with tensorflow-serving-api';

test("TensorFlow Serving's Python client gets its answers", { skip }, async (t) => {
  const app = await serveApp();
  const server = await serveGrpc(app.predictor);
  try {
    const { values } = preprocess(await decodeImage(await digitPng(8)), [28, 28, 1]);
    const file = join(await temporaryDirectory(t), 'eight.f32');
    await writeFile(file, Buffer.from(values.buffer));
    const script = join(projectRoot, 'test', 'serving_client.py');
    const { stdout } = await execa(python ?? '', [script, server.address, file]);
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), {
      digits: { 'float array': 8, 'uint8 array': 8, 'float values': 8, 'int64 array': 8 },
      state: 'AVAILABLE',
      input: 'flatten_input',
      unknown_model: 'NOT_FOUND',
    });
  } finally {
    await server.close();
    await app.close();
  }
});

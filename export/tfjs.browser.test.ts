/** A folder for TensorFlow.js in a real browser: a page loads the library and the model, and answers as the engine does. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { predict } from '../lib/engine/conformance/engine-runs.js';
import { unevenWeights } from '../lib/engine/conformance/problems.js';
import { plainOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { skipWithoutChromium, startChromium } from '../server/testing/chromium.js';
import { exportFile, fileOf } from '../test/exports.js';
import { fixedImages } from '../test/keras-fixtures.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

const skip = skipWithoutChromium();

const LIBRARY = createRequire(import.meta.url).resolve('@tensorflow/tfjs/dist/tf.min.js');

test('a page opens the model and predicts what the engine does', { skip }, async (t) => {
  const directory = await temporaryDirectory(t);
  const description = describeModel('cnn', { inputShape: [12, 12, 1], outputs: 4 });
  const model = { description, weights: unevenWeights(description) };
  const { output, facts } = await exportFile(fileOf(model), 'tfjs', { directory });
  const inputs = [fixedImages(2, [12, 12, 1])];
  const page = `<!doctype html><script src="/tf.js"></script>`;
  const server = createServer(async (request, response) => {
    const name = request.url ?? '/';
    response.setHeader('content-type', name === '/' ? 'text/html' : 'application/octet-stream');
    const file = name === '/tf.js' ? LIBRARY : join(output, name.replace('/model/', ''));
    // A browser asks for more than there is.
    response.end(name === '/' ? page : await readFile(file).catch(() => ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const browser = await startChromium();
  t.after(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const found = (await tab.evaluate(`(async () => {
    await tf.setBackend('cpu');
    const model = await tf.loadLayersModel('/model/model.json');
    const answers = model.predict(tf.tensor(${JSON.stringify([...(inputs[0] ?? [])])}, [2, 12, 12, 1]));
    return { facts: model.getUserDefinedMetadata(), answers: [...await answers.data()] };
  })()`)) as { readonly facts: unknown; readonly answers: readonly number[] };
  assert.deepEqual(found.facts, JSON.parse(JSON.stringify(facts)));
  const wanted = await predict(plainOnnxEngine, model, { inputs, count: 2 });
  assert.equal(found.answers.length, wanted.length);
  for (const [at, value] of wanted.entries()) assert.ok(Math.abs((found.answers[at] ?? 9) - value) < 1e-5);
});

/** Models trained on pixels of every usual scale read the same photographs equally well through the server. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateDigits } from '../datasets/digits/generate.js';
import { randomStream } from '../lib/core/random.js';
import type { Dataset, Examples } from '../lib/federation/examples.js';
import { listenAt } from '../lib/http/listen.js';
import { createWebApp } from '../server/app.js';
import { createWorkerPredictor } from '../server/models/worker-predictor.js';
import { CONDITIONS, type Condition, photograph } from '../server/testing/photograph.js';
import { type UploadAnswer, upload } from '../server/testing/served-app.js';
import { encodeDataset, partsOf, withParts } from './datasets.js';
import { finishRun } from './runs.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Mean and standard deviation of MNIST's pixels, with which they are standardised by custom. */
const [MEAN, DEVIATION] = [0.1307, 0.3081];

/** Pixels from 0 to 1 as they are stored, and what the model's file says of them. */
const SCALES: Readonly<
  Record<string, readonly [store: (pixel: number) => number, scale: RegExp | undefined]>
> = {
  '0 to 1': [(pixel) => pixel, undefined],
  '-1 to 1': [(pixel) => pixel * 2 - 1, /^-1\.\.1$/],
  standardised: [(pixel) => (pixel - MEAN) / DEVIATION, /^-0\.424\d+\.\.2\.821\d+$/],
  '0 to 16': [(pixel) => pixel * 16, /^0\.\.16$/],
  '0 to 255, as floats': [(pixel) => pixel * 255, /^0\.\.255$/],
};

const PHOTOGRAPHS = 100;

test('uploads right, of 100, whatever the scale of the training data', async (t) => {
  const directory = await temporaryDirectory(t);
  const { train, test: held } = await generateDigits({ seed: 3, train: 3000, test: 200 });
  const conditions = Object.values(CONDITIONS).filter(({ turned }) => turned === undefined);
  const size = { width: 28, height: 28 };
  const photographs = await Promise.all(
    Array.from({ length: PHOTOGRAPHS }, async (_, index) => {
      const at = index * 2;
      const levels = partsOf(held).images.slice(at * 784, (at + 1) * 784) as Uint8Array;
      const condition = conditions[index % conditions.length] as Condition;
      const small = condition.canvas ? { ...condition, canvas: [200, 420] as const } : condition;
      const file = await photograph({ ...size, levels }, small, randomStream(4, 'photograph', index));
      return { file, label: partsOf(held).labels[at] };
    }),
  );

  for (const [name, [store, scale]] of Object.entries(SCALES)) {
    const stored = (part: Examples): Examples =>
      withParts(part, { images: Float32Array.from(partsOf(part).images, (value) => store(value / 255)) });
    const data = join(directory, 'digits.npz');
    const dataset: Required<Dataset> = { train: stored(train), test: stored(held) };
    await writeFile(data, await encodeDataset(dataset.train, dataset.test));
    const volume = join(directory, name);
    const { accuracy } = await finishRun(volume, [
      ...['--data', data, '--clients', '2', '--model', 'mlp', '--epochs', '6', '--batch', '32'],
    ]);
    const predictor = await createWorkerPredictor({
      modelPath: join(volume, 'aggregated-model.h5'),
      threads: 1,
    });
    const found = predictor.card()?.scale;
    const text = found && `${found.black[0]}..${found.white[0]}`;
    if (scale === undefined) assert.equal(text, undefined);
    else assert.match(text ?? 'none', scale);
    const server = await listenAt(createWebApp({ predictor, limits: { maxFileBytes: 20_000_000 } }), {
      host: '127.0.0.1',
      port: 0,
    });
    let right = 0;
    for (const { file, label } of photographs) {
      const answer = (await (await upload(server.url, file)).json()) as UploadAnswer;
      if (answer.prediction === label) right++;
    }
    await server.close();
    await predictor.close();
    t.diagnostic(`${name}: accuracy ${accuracy}, ${right} of ${PHOTOGRAPHS} uploads right`);
    // A model reads photographs as well as its test. Before the scale was applied, 85 uploads were right with 0 to 1, 53
    // with -1 to 1 and 74 standardised; with 0 to 16 every digit was near 10.6 % sure.
    assert.ok(accuracy > 0.75, `${name}: accuracy ${accuracy}`);
    assert.ok(right / PHOTOGRAPHS > accuracy - 0.07, `${name}: accuracy ${accuracy}, ${right} uploads right`);
  }
});

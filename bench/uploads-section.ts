/** How well handwriting is read: MNIST's test digits by a model of generated digits, and as people would send them. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { permutation, randomStream } from '../lib/core/random.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { listenAt } from '../lib/http/listen.js';
import { createWebApp } from '../server/app.js';
import type { Predictor } from '../server/models/predictor.js';
import { createWorkerPredictor } from '../server/models/worker-predictor.js';
import { type Writing, writeRow } from '../server/testing/enlarge.js';
import { CONDITIONS, type Condition, photograph } from '../server/testing/photograph.js';
import { upload } from '../server/testing/served-app.js';
import { fedbatch, type Section, withDirectory } from './section.js';

/** Runs to compare: arguments of `fedbatch run --data digits`. */
const RUNS: readonly (readonly string[])[] = [
  ['--clients', '3', '--epochs', '2'],
  ['--clients', '3', '--epochs', '2', '--rounds', '3'],
  ['--clients', '1', '--epochs', '6'],
];

/** Trains on the generated digits alone and tests on the 10,000 test images of MNIST. */
export const benchDigits: Section = ({ data }) =>
  withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    await fedbatch('split', '--data', data, '--clients', '1', '--out', at('mnist'));
    const rows: string[][] = [];
    for (const [index, run] of RUNS.entries()) {
      const volume = at(`run-${index}`);
      await fedbatch('run', '--data', 'digits', ...run, '--volume', volume);
      const model = join(volume, 'aggregated-model.h5');
      const files = ['--data', at('mnist/test.npz'), '--out', at('mnist.json')];
      await fedbatch('evaluate', '--model', model, ...files);
      rows.push([
        `\`${run.join(' ')}\``,
        await accuracyOf(join(volume, 'accuracy.json')),
        await accuracyOf(at('mnist.json')),
      ]);
    }
    return {
      header: ['trained on 6,000 generated digits with', 'generated test digits', 'MNIST test digits'],
      rows,
    };
  });

async function accuracyOf(report: string): Promise<string> {
  const { accuracy } = JSON.parse(await readFile(report, 'utf8')) as { readonly accuracy: number };
  return `${(accuracy * 100).toFixed(1)} %`;
}

/** Trained once and kept; delete it to train anew. */
const MODEL = join('.cache', 'mnist-cnn.h5');
/** Pictures of each condition. */
const PICTURES = 100;
const ROWS = 40;
const SEED = 1;
/** Noise is not compressed: such a PNG of 2000 × 2000 pixels is larger than the server takes by default. */
const MAX_FILE_BYTES = 20_000_000;

/** Rows of digits, as a postcode: how many, and how far apart (pixels of 28 to a digit). */
const ROWS_OF_DIGITS: Readonly<Record<string, { readonly count: number; readonly gap: number }>> = {
  'five digits in a row, as on a photo': { count: 5, gap: 6 },
  'two digits that touch': { count: 2, gap: -1 },
};
const ON_PHOTO: Condition = {
  canvas: [600, 2000],
  size: [0.5, 0.95],
  inverted: true,
  shaded: [0.1, 0.4],
  noise: [0.01, 0.04],
  jpeg: [60, 90],
};

/** A picture to upload, and what stands in it. */
interface Question {
  readonly file: Buffer;
  readonly expected: string;
}

/** Uploads pictures of digits of MNIST's test set under all conditions. */
export const benchUploads: Section = async ({ data, journal }) => {
  if (!existsSync(MODEL)) await trainModel(data);
  const { test } = await readDataset(data);
  if (test === undefined) throw new Error(`${data} has no test digits`);
  const [{ values: images }] = test.inputs;
  const [{ values: labels }] = test.targets;
  const order = permutation(labels.length, randomStream(SEED, 'digits'));
  const digitAt = (index: number) => {
    const at = order[index % order.length] as number;
    const levels = Uint8Array.from(images.subarray(at * 784, (at + 1) * 784));
    return { levels, label: String(labels[at]) };
  };
  const single = (name: string, condition: Condition) => async (index: number) => {
    const { levels, label } = digitAt(index);
    const writing: Writing = { width: 28, height: 28, levels };
    return { file: await photograph(writing, condition, randomStream(SEED, name, index)), expected: label };
  };
  const row =
    (name: string, { count, gap }: { readonly count: number; readonly gap: number }) =>
    async (index: number) => {
      const digits = Array.from({ length: count }, (_, place) => digitAt(index * count + place));
      const writing = writeRow(
        digits.map(({ levels }) => levels),
        gap,
      );
      const file = await photograph(writing, ON_PHOTO, randomStream(SEED, name, index));
      return { file, expected: digits.map(({ label }) => label).join('') };
    };

  const predictor = await createWorkerPredictor({ modelPath: MODEL, threads: 1 });
  const app = createWebApp({ predictor, limits: { maxFileBytes: MAX_FILE_BYTES } });
  const server = await listenAt(app, { host: '127.0.0.1', port: 0 });
  const measure = (name: string, count: number, ask: (index: number) => Promise<Question>) =>
    journal.once(`uploads, ${name}, ${count}`, async () => {
      console.error(`uploads: ${name}`);
      // All pictures first: a connection that idles while one is made would be closed.
      const questions: Question[] = [];
      for (let index = 0; index < count; index++) questions.push(await ask(index));
      let [right, plainRight] = [0, 0];
      for (const { file, expected } of questions) {
        if ((await readByUpload(server.url, file)) === expected) right++;
        if ((await readPlainly(file, predictor)) === expected) plainRight++;
      }
      return { right: right / count, plainRight: plainRight / count };
    });
  try {
    const rows: string[][] = [];
    for (const [name, condition] of Object.entries(CONDITIONS)) {
      const { right, plainRight } = await measure(name, PICTURES, single(name, condition));
      rows.push([name, percent(right), percent(plainRight)]);
    }
    for (const [name, digits] of Object.entries(ROWS_OF_DIGITS)) {
      const { right } = await measure(name, ROWS, row(name, digits));
      rows.push([`${name}: all of them right`, percent(right), '–']);
    }
    return { header: ['uploaded as', 'fedbatch reads', 'a plain resize to 28 × 28 reads'], rows };
  } finally {
    await server.close();
    await predictor.close();
  }
};

/** The default CNN, trained by one client: the reader of pictures is measured here, not federated averaging. */
function trainModel(data: string): Promise<void> {
  return withDirectory(async (directory) => {
    await fedbatch('run', '--data', data, '--clients', '1', '--epochs', '5', '--volume', directory);
    await mkdir('.cache', { recursive: true });
    await copyFile(join(directory, 'aggregated-model.h5'), MODEL);
  });
}

async function readByUpload(url: string, file: Buffer): Promise<string> {
  const response = await upload(url, file, { name: 'picture' });
  const { digits } = (await response.json()) as { digits?: readonly { readonly prediction: number }[] };
  return (digits ?? []).map(({ prediction }) => prediction).join('');
}

/** As older systems did it: the file squeezed into 28 × 28, grey, divided by 255. */
async function readPlainly(file: Buffer, predictor: Predictor): Promise<string> {
  const grey = await sharp(file).resize(28, 28, { fit: 'fill' }).greyscale().raw().toBuffer();
  const probabilities = await predictor.predict(
    Float32Array.from(grey, (level) => level / 255),
    1,
  );
  return String(probabilities.indexOf(Math.max(...probabilities)));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/**
 * How the odds in server/split-signs.ts were found: `node dist/bench/fit-split-odds.js ../shared/datasets/mnist.npz` fits
 * them to digits of MNIST's training set, alone and in touching pairs, with the model of `npm run bench -- uploads`. Those
 * in use are of another draw; this one gives 6.7, -5.2, -3.4, 11.2, and 4.9 for the model's sureness.
 */
import { join } from 'node:path';
import { permutation, randomStream } from '../lib/core/random.js';
import { formSign } from '../lib/digits/digit-form.js';
import { findSigns, type Sign } from '../lib/digits/find-digits.js';
import { type FoundInk, findInk } from '../lib/digits/find-ink.js';
import { cutAt, findCut } from '../lib/digits/split-signs.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { createWorkerPredictor } from '../server/models/worker-predictor.js';
import { enlarge, writeRow } from '../server/testing/enlarge.js';

const MODEL = join('.cache', 'mnist-cnn.h5');
const [SINGLES, PAIRS, SCALE, STEPS] = [2_500, 1_200, 6, 3_000];
/** Between the ink of two neighbours, in pixels of 28 to a digit; those that do not touch are left out. */
const GAPS = [-1, -1, -2, 0];
const MNIST = { width: 28, height: 28 };
const NAMES = ['aspect', 'ink', 'crossings', 'height', 'confidence'];

const { train } = await readDataset(process.argv[2] ?? '../shared/datasets/mnist.npz');
const [{ values: images }] = train.inputs;
const order = permutation(train.targets.values.length, randomStream(7, 'split-odds'));
const predictor = await createWorkerPredictor({ modelPath: MODEL, threads: 1 });
const rows: { readonly isPair: boolean; readonly features: readonly number[] }[] = [];
let used = 0;
const nextDigit = () => {
  const at = order[used++] as number;
  return Uint8Array.from(images.subarray(at * 784, (at + 1) * 784));
};
for (let index = 0; index < SINGLES; index++) await look([nextDigit()], 0);
for (let index = 0; index < PAIRS; index++)
  await look([nextDigit(), nextDigit()], GAPS[index % GAPS.length] as number);
await predictor.close();
const { weights, base } = fit();
for (const [index, name] of NAMES.entries()) console.log(name, weights[index]?.toFixed(2));
console.log('base, with as many pairs as single digits', base.toFixed(2));

/** Measures one piece of ink. */
async function look(digits: readonly Uint8Array[], gap: number): Promise<void> {
  const writing = writeRow(digits, gap);
  const size = { width: writing.width * SCALE, height: writing.height * SCALE };
  const values = enlarge(writing, { ...size, scale: SCALE, left: 0, top: 0, degrees: 0 });
  const found = findInk({ ...size, values, isDarkInk: true });
  const [sign, ...others] = findSigns(found.pieces, found.ink).flat();
  const cut = sign && findCut(found, sign);
  if (sign === undefined || cut === undefined || others.length > 0) return;
  const [whole = 0, left = 0, right = 0] = await sureness(found, [sign, ...cutAt(found, sign, cut.column)]);
  const features = [cut.aspect, cut.ink, cut.crossings, cut.height, (left + right) / 2 - whole];
  rows.push({ isPair: digits.length > 1, features });
}

/** Logarithm of the best probability of each sign. */
async function sureness(found: FoundInk, signs: readonly Sign[]): Promise<readonly number[]> {
  const inputs = new Float32Array(signs.length * 784);
  signs.forEach((sign, at) => {
    inputs.set(formSign(found, sign, MNIST).centred.values, at * 784);
  });
  const all = await predictor.predict(inputs, signs.length);
  return signs.map((_, at) => Math.log(Math.max(...all.subarray(at * 10, at * 10 + 10))));
}

/** Logistic regression by gradient descent on standardised features; both kinds count alike. */
function fit(): { readonly weights: readonly number[]; readonly base: number } {
  const columns = NAMES.map((_, at) => rows.map(({ features }) => features[at] as number));
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const means = columns.map(mean);
  const spreads = columns.map((of, at) => Math.sqrt(mean(of.map((v) => (v - (means[at] as number)) ** 2))));
  const pairs = rows.filter(({ isPair }) => isPair).length;
  const [pairShare, singleShare] = [0.5 / pairs, 0.5 / (rows.length - pairs)];
  const scaled = rows.map(({ features }) =>
    features.map((value, at) => (value - (means[at] as number)) / (spreads[at] as number)),
  );
  const slopes = NAMES.map(() => 0);
  let level = 0;
  for (let step = 0; step < STEPS; step++) {
    const gradient = NAMES.map(() => 0);
    let levelGradient = 0;
    rows.forEach(({ isPair }, row) => {
      const values = scaled[row] as readonly number[];
      const score = values.reduce((sum, value, at) => sum + value * (slopes[at] as number), level);
      const share = isPair ? pairShare : singleShare;
      const error = (1 / (1 + Math.exp(-score)) - Number(isPair)) * share;
      values.forEach((value, at) => {
        gradient[at] = (gradient[at] as number) + error * value;
      });
      levelGradient += error;
    });
    gradient.forEach((value, at) => {
      slopes[at] = (slopes[at] as number) - value;
    });
    level -= levelGradient;
  }
  const weights = slopes.map((slope, at) => slope / (spreads[at] as number));
  return {
    weights,
    base: level - weights.reduce((sum, weight, at) => sum + weight * (means[at] as number), 0),
  };
}

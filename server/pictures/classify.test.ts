import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp, { type OverlayOptions } from 'sharp';
import type { ModelCard } from '../models/model-card.js';
import type { Predictor } from '../models/predictor.js';
import { createWorkerPredictor } from '../models/worker-predictor.js';
import { writePrototypeModel } from '../testing/prototype-model.js';
import { drawDigit } from '../testing/segment-digits.js';
import { classify, subjectOf } from './classify.js';
import { explain } from './explain.js';

const PAPER = { r: 236, g: 232, b: 222 };
const INK = [25, 30, 60] as const;
const HEIGHT = 120;

/** A digit's box as an overlay: 6/10 as wide as high. */
async function overlay(digit: number, left: number, top: number): Promise<OverlayOptions> {
  const drawing = { width: 72, height: HEIGHT, left: 0, top: 0, digitHeight: HEIGHT };
  const picture = drawDigit(digit, { ...drawing, ink: INK, paper: [PAPER.r, PAPER.g, PAPER.b] });
  return { input: await picture.png().toBuffer(), left, top };
}

function paper(width: number, height: number, overlays: readonly OverlayOptions[]): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: PAPER } })
    .composite([...overlays])
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** A filled box of ink. */
const blot = (left: number, top: number, width: number, height: number): OverlayOptions => ({
  input: { create: { width, height, channels: 3, background: { r: 25, g: 30, b: 60 } } },
  left,
  top,
});

const row = (digits: readonly number[], { pitch = 110, left = 60, top = 70 } = {}) =>
  Promise.all(digits.map((digit, at) => overlay(digit, left + at * pitch, top)));

describe('reading several digits in one picture', () => {
  let directory: string;
  let predictor: Predictor;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const modelPath = join(directory, 'model.h5');
    await writePrototypeModel(modelPath);
    predictor = await createWorkerPredictor({ modelPath, threads: 1 });
  });
  after(async () => {
    await predictor?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const read = async (bytes: Uint8Array) => {
    const classified = await classify(bytes, predictor);
    return {
      ...classified,
      text: classified.answer.digits.map(({ prediction }) => prediction).join(''),
    };
  };

  it('reads a postcode from left to right, and says where each digit is', async () => {
    const { text, answer } = await read(await paper(700, 260, await row([9, 0, 2, 4, 5])));
    assert.equal(text, '90245');
    assert.equal(answer.prediction, 9, 'the answer of older clients is the first digit');
    assert.deepEqual(answer.probabilities, answer.digits[0]?.probabilities);
    answer.digits.forEach(({ box, probabilities }, at) => {
      const middle = box.left + box.width / 2;
      assert.ok(Math.abs(middle - (60 + at * 110 + 36)) < 8, `digit ${at} is at ${middle}`);
      assert.ok(Math.abs(box.top - 70) < 8 && Math.abs(box.height - HEIGHT) < 12);
      assert.ok(Math.abs(probabilities.reduce((sum, share) => sum + share, 0) - 1) < 1e-4);
    });
  });

  it('gives boxes in pixels of the upright picture, however large and however it is stored', async () => {
    const upright = await paper(700, 260, await row([6, 3]));
    const large = await sharp(upright).resize({ width: 2100 }).toBuffer();
    const turned = sharp(large).rotate(-90).withMetadata({ orientation: 6 });
    const { text, answer } = await read(await turned.jpeg().toBuffer());
    assert.equal(text, '63');
    const box = answer.digits[1]?.box;
    assert.ok(box !== undefined && Math.abs(box.left - 3 * 170) < 30, `left is ${box?.left}`);
    assert.ok(Math.abs(box.height - 3 * HEIGHT) < 40, `height is ${box.height}`);
  });

  it('reads two lines one after the other', async () => {
    const first = await row([2, 7], { top: 40 });
    const second = await row([5, 8, 4], { top: 240 });
    assert.equal((await read(await paper(500, 420, [...first, ...second]))).text, '27584');
  });

  it('parts digits whose strokes touch', async () => {
    for (const digits of [
      [6, 9],
      [2, 5],
      [8, 3],
    ]) {
      const touching = await row(digits, { pitch: 76 });
      const picture = await paper(320, 260, [...touching, blot(130, 180, 10, 6)]);
      assert.equal((await read(picture)).text, digits.join(''));
    }
  });

  it('passes over specks and ruled lines', async () => {
    const dirt = [blot(20, 20, 4, 4), blot(300, 230, 5, 3), blot(0, 245, 420, 3)];
    assert.equal((await read(await paper(420, 260, [...(await row([3, 6])), ...dirt]))).text, '36');
  });

  it('takes a digit in two pieces as one', async () => {
    const roof = { left: 130, top: 60, width: 60, height: 14 };
    const pieces = [
      blot(roof.left, roof.top, roof.width, roof.height),
      blot(130, 84, 14, 50),
      blot(130, 126, 60, 12),
    ];
    assert.equal((await read(await paper(320, 260, pieces))).answer.digits.length, 1);
  });

  it('explains each step in pictures', async () => {
    const { steps, digits } = await explain(
      await classify(await paper(400, 260, await row([7, 1])), predictor, { isShown: true }),
    );
    assert.deepEqual(
      steps.map(({ name }) => name),
      ['grey', 'even light, bright ink', 'ink alone'],
    );
    assert.equal(digits.length, 2);
    for (const url of [...steps.map(({ image }) => image), ...digits.map(({ seen }) => seen)]) {
      const png = Buffer.from(url.replace('data:image/png;base64,', ''), 'base64');
      const { width = 0, height = 0 } = await sharp(png).metadata();
      assert.ok(Math.max(width, height) <= 160 && Math.min(width, height) >= 28, `${width} × ${height}`);
    }
    assert.match(digits[0]?.steps[1]?.name ?? '', /^fitted into \d+ × 20$/);
  });

  it('gives models of other things the whole picture', () => {
    const card = { inputShape: [28, 28, 1] } as unknown as ModelCard;
    assert.equal(subjectOf(card), 'signs');
    assert.equal(subjectOf({ ...card, labels: ['A', 'b', 'ß'] }), 'signs');
    assert.equal(subjectOf({ ...card, labels: ['shirt', 'ankle boot'] }), 'picture');
    assert.equal(subjectOf({ ...card, inputShape: [32, 32, 3] }), 'picture');
  });
});

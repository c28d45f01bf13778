import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpProblem } from '../lib/http/problems.js';
import { createWorkerPredictor } from './models/worker-predictor.js';
import { skipWithoutChromium } from './testing/chromium.js';
import {
  hasPadAnswer,
  isAnswerEmpty,
  isAnswered,
  isReadingWhole,
  padSays,
  pageLayout,
} from './testing/in-page.js';
import { writeDenseModel, writePrototypeModel } from './testing/prototype-model.js';
import { serveApp } from './testing/served-app.js';
import { browserSuite, DESKTOP, drawSeven, PHONE, shoot } from './testing/visits.js';

const CLASSES = ['red poppy', 'green meadow', 'blue sky'];

describe('the page of other servers in Chromium', { skip: skipWithoutChromium() }, () => {
  const { visit, fileAt, photo } = browserSuite();

  /** A model of colour pictures that goes by their mean colour, and its labels. */
  async function loadColours() {
    const modelPath = fileAt('colours.h5');
    const kernel = Float32Array.from({ length: 16 * 16 * 3 * 3 }, (_, at) =>
      Math.floor(at / 3) % 3 === at % 3 ? 8 / 256 : -4 / 256,
    );
    await writeDenseModel(modelPath, { inputShape: [16, 16, 3], kernel, bias: new Float32Array(3) });
    await writeFile(fileAt('labels.txt'), CLASSES.join('\n'));
    return createWorkerPredictor({ modelPath, threads: 1 });
  }

  it('of a model of colour pictures: it says what they show by name, and there is nothing to draw on', async () => {
    const app = await serveApp({ predictor: await loadColours(), samples: [] });
    const sky = await photo('sky.jpg', [40, 90, 220]);
    const poppy = await photo('poppy.jpg', [220, 30, 40]);
    try {
      await visit({ ...DESKTOP, url: app.url }, async (page) => {
        assert.equal(await page.textContent('h1'), 'What is in the picture?');
        assert.equal(await page.locator('#pad').count(), 0);
        await page.setInputFiles('#file', sky);
        await page.waitForFunction(isAnswered, 'blue sky');
        assert.match(
          (await page.textContent('#sentence')) ?? '',
          /^It looks like a blue sky, \d+\.\d % sure\.$/,
        );
        assert.deepEqual(await page.locator('#bars .class').allTextContents(), CLASSES);
        assert.equal(await page.locator('#bars .best .class').textContent(), 'blue sky');
        assert.equal(await page.locator('.past-entry strong').textContent(), 'blue sky');
        assert.ok(await page.evaluate(isReadingWhole), 'the name is written in full');
        await shoot(page, 'colours-desktop-light');
      });
      await visit({ ...PHONE, url: app.url }, async (page) => {
        await page.setInputFiles('#file', poppy);
        await page.waitForFunction(isAnswered, 'red poppy');
        assert.ok(await page.evaluate(isReadingWhole), 'the name is written in full');
        assert.equal((await page.evaluate(pageLayout)).width, 390, 'no sideways scrolling');
        await shoot(page, 'colours-phone-light');
      });
      await visit({ ...DESKTOP, javaScriptEnabled: false, url: app.url }, async (page) => {
        await page.setInputFiles('#file', sky);
        await page.getByRole('button', { name: 'Look at it' }).click();
        assert.equal(await page.textContent('#digit'), 'blue sky');
      });
    } finally {
      await app.close();
    }
  });

  it('of a slow server: one drawing is read at a time, then the newest, and Clear takes the answer away', async () => {
    // A real predictor that answers only when it is told to, as on a machine with other work.
    const modelPath = join(await mkdtemp(fileAt('slow-')), 'digits.h5');
    await writePrototypeModel(modelPath);
    const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
    const held: (() => void)[] = [];
    let isBusy = true;
    const predict: typeof predictor.predict = async (...given) => {
      if (isBusy) await new Promise<void>((resolve) => held.push(resolve));
      return predictor.predict(...given);
    };
    const app = await serveApp({ predictor: { ...predictor, predict } });
    const arrived = async (count: number) => {
      while (held.length < count) await sleep(20);
    };
    try {
      await visit({ ...DESKTOP, url: app.url }, async (page) => {
        const uploads: string[] = [];
        page.on('request', (request) => request.method() === 'POST' && uploads.push(request.url()));
        page.on('requestfailed', (request) => uploads.push(`${request.url()} given up`));
        const { x, y, width, height } = (await page.locator('#pad').boundingBox()) ?? assert.fail('no pad');
        const stroke = async (points: readonly (readonly [number, number])[]) => {
          for (const [at, [right, down]] of points.entries()) {
            await page.mouse.move(x + width * right, y + height * down, { steps: 5 });
            if (at === 0) await page.mouse.down();
          }
          await page.mouse.up();
        };
        // A 7 in two strokes: its upright alone is a 1.
        await stroke([
          [0.62, 0.2],
          [0.62, 0.85],
        ]);
        await arrived(1);
        await page.waitForFunction(padSays, 'Reading…');
        await page.locator('#sentence', { hasText: /^Reading…$/ }).waitFor();
        await shoot(page, 'desktop-light-slow');
        await stroke([
          [0.62, 0.2],
          [0.38, 0.2],
        ]);
        // More changes while the first is read ask for nothing.
        await page.waitForTimeout(600);
        assert.equal(uploads.length, 1, 'one at a time');
        held[0]?.();
        // What is there meanwhile is shown, and the newest is asked for.
        await page.waitForFunction(isAnswered, '1');
        await arrived(2);
        assert.match((await page.textContent('#pad-answer')) ?? '', /^1 · /);
        held[1]?.();
        await page.waitForFunction(isAnswered, '7');
        await page.waitForFunction(hasPadAnswer);
        assert.match((await page.textContent('#pad-answer')) ?? '', /^7 · /);
        assert.equal(uploads.length, 2, uploads.join('\n'));
        await stroke([
          [0.3, 0.5],
          [0.4, 0.5],
        ]);
        await arrived(3);
        await page.getByRole('button', { name: 'Clear' }).click();
        assert.ok(await page.evaluate(isAnswerEmpty), 'nothing is left');
        isBusy = false;
        held[2]?.();
        // What was drawn before does not come back; what is drawn next is read.
        await page.waitForTimeout(300);
        assert.ok(await page.evaluate(isAnswerEmpty), 'nothing comes back');
        await drawSeven(page);
        await page.waitForFunction(isAnswered, '7');
      });
    } finally {
      for (const release of held) release();
      await app.close();
    }
  });

  it('of a model of other classes: its names, no samples of digits, and no digit in its words', async () => {
    const modelPath = join(await mkdtemp(fileAt('four-')), 'four.h5');
    const kernel = Float32Array.from({ length: 28 * 28 * 4 }, (_, at) => ((at * 7919) % 13) / 100);
    await writeDenseModel(modelPath, {
      inputShape: [28, 28, 1],
      kernel,
      bias: new Float32Array([0, 0, 9, 0]),
    });
    const app = await serveApp({ predictor: await createWorkerPredictor({ modelPath, threads: 1 }) });
    try {
      await visit({ ...DESKTOP, colorScheme: 'dark', url: app.url }, async (page) => {
        assert.equal(await page.textContent('h1'), 'Which sign is it?');
        assert.equal(await page.locator('.sample-link').count(), 0);
        await drawSeven(page);
        await page.waitForFunction(isAnswered, 'class 2');
        assert.match(
          (await page.textContent('#sentence')) ?? '',
          /^It looks like class 2, \d+\.\d % sure\.$/,
        );
        const names = ['class 0', 'class 1', 'class 2', 'class 3'];
        assert.deepEqual(await page.locator('#bars .class').allTextContents(), names);
        assert.ok(await page.evaluate(isReadingWhole), 'the name is written in full');
        await shoot(page, 'desktop-dark-other-classes');
      });
    } finally {
      await app.close();
    }
  });

  it('of a server that asks for a pause: the pad waits, says so quietly, and reads the newest drawing', async () => {
    let asked = 0;
    let isBusy = false;
    const rateLimit = {
      async count() {
        asked++;
        if (isBusy) throw new HttpProblem(429, 'Too often.', { headers: { 'Retry-After': '12' } });
      },
      close: () => undefined,
    };
    const app = await serveApp({ rateLimit });
    try {
      await visit({ ...DESKTOP, url: app.url }, async (page, complaints) => {
        await page.waitForLoadState('networkidle');
        [isBusy, asked] = [true, 0];
        const pad = (await page.locator('#pad').boundingBox()) ?? assert.fail('no pad');
        // A first stroke, which alone would be read as something else.
        await page.mouse.click(pad.x + pad.width * 0.4, pad.y + pad.height * 0.2);
        await page.waitForFunction(padSays, 'Draw on: it reads again in 12 s.');
        await drawSeven(page);
        // The pause is long enough for a busy machine to draw in.
        assert.equal(asked, 1, 'nobody asks during the pause');
        assert.equal(await page.textContent('#pad-error'), '');
        assert.equal(await page.getAttribute('#answer', 'data-state'), 'empty');
        const draw = (await page.locator('.draw').boundingBox()) ?? assert.fail('no card');
        const answer = (await page.locator('#answer').boundingBox()) ?? assert.fail('no answer');
        assert.ok(draw.x + draw.width <= answer.x, 'the cards stand side by side');
        await shoot(page, 'desktop-light-paused');
        isBusy = false;
        await page.waitForFunction(isAnswered, '7');
        assert.match((await page.textContent('#pad-answer')) ?? '', /^7 · \d+\.\d %$/);
        // The browser itself notes each 429 in its console.
        for (const complaint of complaints.splice(0)) assert.match(complaint, /429/);
      });
    } finally {
      await app.close();
    }
  });
});

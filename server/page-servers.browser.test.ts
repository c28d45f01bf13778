import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { HttpProblem } from './problems.js';
import { skipWithoutChromium, startChromium } from './testing/chromium.js';
import { isAnswered, isReadingWhole, padSays, pageLayout } from './testing/in-page.js';
import { writeDenseModel } from './testing/prototype-model.js';
import { serveApp } from './testing/served-app.js';
import { DESKTOP, drawSeven, PHONE, shoot, visitPage } from './testing/visits.js';
import { createWorkerPredictor } from './worker-predictor.js';

const CLASSES = ['red poppy', 'green meadow', 'blue sky'];

describe('the page of other servers in Chromium', { skip: skipWithoutChromium() }, () => {
  let browser: Browser;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A model of colour pictures that goes by their mean colour, and its labels. */
  async function loadColours() {
    const modelPath = join(directory, 'colours.h5');
    const kernel = Float32Array.from({ length: 16 * 16 * 3 * 3 }, (_, at) =>
      Math.floor(at / 3) % 3 === at % 3 ? 8 / 256 : -4 / 256,
    );
    await writeDenseModel(modelPath, { inputShape: [16, 16, 3], kernel, bias: new Float32Array(3) });
    await writeFile(join(directory, 'labels.txt'), CLASSES.join('\n'));
    return createWorkerPredictor({ modelPath, threads: 1 });
  }

  /** A photo-like picture: mostly of one colour, brighter at the top. */
  async function photo(name: string, [red, green, blue]: readonly [number, number, number]) {
    const path = join(directory, name);
    const [width, height] = [400, 260];
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
      const light = 1 - (0.5 * Math.floor(at / 3 / width)) / height;
      return ([red, green, blue][at % 3] ?? 0) * light + ((at * 7919) % 23);
    });
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toFile(path);
    return path;
  }

  it('of a model of colour pictures: it says what they show by name, and there is nothing to draw on', async () => {
    const app = await serveApp({ predictor: await loadColours(), samples: [] });
    const sky = await photo('sky.jpg', [40, 90, 220]);
    const poppy = await photo('poppy.jpg', [220, 30, 40]);
    try {
      await visitPage(browser, { ...DESKTOP, url: app.url }, async (page) => {
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
        await page.waitForTimeout(500);
        await shoot(page, 'colours-desktop-light');
      });
      await visitPage(browser, { ...PHONE, url: app.url }, async (page) => {
        await page.setInputFiles('#file', poppy);
        await page.waitForFunction(isAnswered, 'red poppy');
        assert.ok(await page.evaluate(isReadingWhole), 'the name is written in full');
        assert.equal((await page.evaluate(pageLayout)).width, 390, 'no sideways scrolling');
        await page.waitForTimeout(900);
        await shoot(page, 'colours-phone-light');
      });
      await visitPage(browser, { ...DESKTOP, javaScriptEnabled: false, url: app.url }, async (page) => {
        await page.setInputFiles('#file', sky);
        await page.getByRole('button', { name: 'Look at it' }).click();
        assert.equal(await page.textContent('#digit'), 'blue sky');
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
        if (isBusy) throw new HttpProblem(429, 'Too often.', { headers: { 'Retry-After': '2' } });
      },
      close: () => undefined,
    };
    const app = await serveApp({ rateLimit });
    try {
      await visitPage(browser, { ...DESKTOP, url: app.url }, async (page, complaints) => {
        await page.waitForLoadState('networkidle');
        [isBusy, asked] = [true, 0];
        const pad = (await page.locator('#pad').boundingBox()) ?? assert.fail('no pad');
        // A first stroke, which alone would be read as something else.
        await page.mouse.click(pad.x + pad.width * 0.4, pad.y + pad.height * 0.2);
        await page.waitForFunction(padSays, 'Draw on: it reads again in 2 s.');
        await drawSeven(page);
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
        // The browser itself notes the 429 in its console.
        assert.match(complaints.splice(0).join('\n'), /^[^\n]*429[^\n]*$/);
      });
    } finally {
      await app.close();
    }
  });
});

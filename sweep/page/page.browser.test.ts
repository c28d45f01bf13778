/** The page of a sweep in a real browser: light and dark, on a desk and on a phone. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { skipWithoutChromium, startChromium } from '../../server/testing/chromium.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { drawnSweep, sampleSweep } from '../testing/sample-sweep.js';
import { renderSweepPage } from './page.js';

const skip = skipWithoutChromium();

test('the page fits a desk and a phone, asks for no other file, and its labels can be read', {
  skip,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const browser = await startChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  let heard: string[] = [];
  page.on('request', (request) => heard.push(request.url()));
  page.on('console', (message) => heard.push(message.text()));
  for (const record of [sampleSweep(), drawnSweep()]) {
    const file = join(directory, `${record.id}.html`);
    await writeFile(file, renderSweepPage(record));
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1200, 360]) {
        heard = [];
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        await page.goto(pathToFileURL(file).href);
        assert.deepEqual(heard, [pathToFileURL(file).href]);
        const found = await page.evaluate(`({
          overflow: document.documentElement.scrollWidth - innerWidth,
          background: getComputedStyle(document.body).backgroundColor,
          smallest: Math.min(...[...document.querySelectorAll('svg text')].map((text) => text.getBoundingClientRect().height)),
          outside: [...document.querySelectorAll('svg text')].filter((text) => {
            const [inner, outer] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
            return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
          }).map((text) => text.textContent),
        })`);
        const { overflow, background, smallest, outside } = found as Record<string, unknown>;
        assert.equal(overflow, 0, `${width} pixels wide`);
        assert.deepEqual(outside, [], `labels cut off at ${width} pixels`);
        assert.ok(Number(smallest) >= 10, `letters of ${smallest} pixels at ${width}`);
        assert.equal(background, colorScheme === 'dark' ? 'rgb(17, 19, 24)' : 'rgb(245, 245, 242)');
        if (process.env.FEDBATCH_SCREENSHOTS === '1') {
          await mkdir('test-artifacts', { recursive: true });
          const path = join('test-artifacts', `sweep-${record.search.kind}-${width}-${colorScheme}.png`);
          await page.screenshot({ path, fullPage: true });
        }
      }
    }
  }
});

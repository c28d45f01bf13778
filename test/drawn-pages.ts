/** What a real browser says of a page that is a file: light and dark, on a desk and on a phone. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startChromium } from '../server/testing/chromium.js';
import { seriousViolations } from '../server/testing/in-page.js';
import { shoot } from '../server/testing/visits.js';
import { temporaryDirectory } from './temporary-directory.js';

/** The accessibility checker, as a script for the page. */
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/**
 * Asserts of each page, by its name, that it fits, asks for no other file, says nothing, has labels that can be read, and
 * nothing serious for axe to find.
 */
export async function checkDrawnPages(
  t: TestContext,
  pages: Readonly<Record<string, string>>,
): Promise<void> {
  const directory = await temporaryDirectory(t);
  const browser = await startChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  let heard: string[] = [];
  page.on('request', (request) => heard.push(request.url()));
  page.on('console', (message) => heard.push(message.text()));
  const axe = await readFile(AXE, 'utf8');
  for (const [name, html] of Object.entries(pages)) {
    const file = join(directory, `${name}.html`);
    await writeFile(file, html);
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
        assert.equal(overflow, 0, `${name}: ${width} pixels wide`);
        assert.deepEqual(outside, [], `${name}: labels cut off at ${width} pixels`);
        assert.ok(Number(smallest) >= 10, `${name}: letters of ${smallest} pixels at ${width}`);
        assert.equal(background, colorScheme === 'dark' ? 'rgb(17, 19, 24)' : 'rgb(245, 245, 242)');
        // Colours in both schemes, and what a narrow screen has to scroll.
        if ((colorScheme === 'light') === (width === 1200)) {
          await page.evaluate(axe);
          assert.deepEqual(await page.evaluate(seriousViolations), [], `${name}: ${colorScheme}, ${width}`);
        }
        await shoot(page, `${name}-${width}-${colorScheme}`);
      }
    }
  }
}

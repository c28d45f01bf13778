/** The report in a real browser: light and dark, on a desk and on a phone; what JavaScript adds to it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { skipWithoutChromium, startChromium } from '../server/testing/chromium.js';
import { checkDrawnPages } from '../test/drawn-pages.js';
import { sampleRecords } from '../test/sample-records.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { renderReport } from './report.js';

const skip = skipWithoutChromium();

test(
  'the page fits a desk and a phone, asks for no other file, and says nothing in the console',
  {
    skip,
  },
  (t) => checkDrawnPages(t, { report: renderReport(sampleRecords()) }),
);

test('columns sort at a click, both ways, and charts read out the round under the pointer', {
  skip,
}, async (t) => {
  const file = join(await temporaryDirectory(t), 'report.html');
  await writeFile(file, renderReport(sampleRecords()));
  const browser = await startChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(pathToFileURL(file).href);
  const table = page.locator('.sortable', { hasText: 'seconds a round' });
  const names = () => table.locator('tbody th').allTextContents();
  assert.deepEqual(await names(), ['0', '1', '2', '3']);
  const missing = table.getByRole('button', { name: 'missing' });
  await missing.click();
  await missing.click();
  assert.equal((await names())[0], '1');
  assert.equal(await table.locator('th[aria-sort="descending"]').textContent(), 'missing');
  await page.locator('.chart').first().locator('.at').nth(1).hover();
  assert.equal(await page.locator('.readout').textContent(), 'round 2\n90.00 %');
});

/** The pages of runs in Chromium, while a real run goes on. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { listenAt } from '../lib/http/listen.js';
import { silentReporter } from '../lib/observability/events.js';
import { skipWithoutChromium } from '../server/testing/chromium.js';
import { pageLayout, seriousViolations } from '../server/testing/in-page.js';
import { browserSuite, DESKTOP, PHONE, shoot } from '../server/testing/visits.js';
import { writeTinyDataset } from '../test/datasets.js';
import { beginVolume } from '../test/live-volume.js';
import { startRun } from '../test/runs.js';
import { openRunPages } from './routes.js';
import { createWatchApp } from './watch.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** The number below a name in the head of the page. */
const figure = (page: Page, name: string) => page.locator(`.figures dt:text-is("${name}") + dd`);

describe('runs as they go in Chromium', { skip: skipWithoutChromium() }, () => {
  const { visit, fileAt } = browserSuite();

  async function serve(folder: string) {
    const pages = await openRunPages(folder);
    const app = createWatchApp(pages, { first: '/runs', reporter: silentReporter });
    const server = await listenAt(app, { host: '127.0.0.1', port: 0 });
    return {
      url: server.url,
      async close() {
        pages.close();
        await server.close();
      },
    };
  }

  it('a run appears on the list, its numbers change while it goes on, and it ends: nobody loads the page again', async () => {
    const folder = fileAt('.');
    const data = await writeTinyDataset(folder);
    const server = await serve(folder);
    const flags = [
      '--data',
      data,
      '--model',
      'mlp',
      '--clients',
      '2',
      '--epochs',
      '1',
      '--rounds',
      '4',
      '--batch',
      '20',
    ];
    try {
      await visit({ ...DESKTOP, url: `${server.url}/runs` }, async (page) => {
        await page.getByText('There is no run yet').waitFor();
        const run = startRun(join(folder, 'first'), flags);
        await page.getByRole('link', { name: /^tiny-2x1-/ }).click();
        await page.getByRole('heading', { level: 1, name: /^tiny-2x1-/ }).waitFor();
        // What a new page would not have.
        await page.evaluate('window.isSamePage = true');
        const seen = new Set<unknown>();
        for (const rounds of [1, 2, 3, 4]) {
          const digits = new RegExp(`^[${rounds}-4]`);
          await figure(page, 'rounds').filter({ hasText: digits }).waitFor();
          seen.add(await figure(page, 'rounds').textContent());
          if (rounds === 2) await shoot(page, 'live-running');
        }
        assert.ok(seen.size >= 2, `numbers were seen to change: ${[...seen]}`);
        await page.getByText('The run is over').waitFor();
        assert.equal((await run).exitCode, 0);
        assert.equal(await page.textContent('.badge'), 'done');
        assert.match((await figure(page, 'accuracy').textContent()) ?? '', /^\d+\.\d+ %/);
        assert.equal(await page.evaluate('window.isSamePage'), true);
        await page.getByRole('link', { name: 'All runs' }).click();
        await page.locator('.runs .badge').getByText('done').waitFor();
      });
    } finally {
      await server.close();
    }
  });

  it('what a reader has opened stays open; axe finds nothing serious; light, dark, on a desk and on a phone', async () => {
    const folder = fileAt('made');
    const volume = await beginVolume(join(folder, 'a'), { name: 'a run of four' });
    await volume.round(1);
    await volume.begin(2);
    const failed = await beginVolume(join(folder, 'b'), { id: 'another', createdAt: '2026-01-01T00:00:00Z' });
    await failed.tell({ event: 'failure', stage: 'train', round: 1, exitCode: 5, reason: 'r', next: 'n' });
    const server = await serve(folder);
    const script = await readFile(AXE, 'utf8');
    try {
      for (const [name, options] of [
        ['desk-light', DESKTOP],
        ['desk-dark', { ...DESKTOP, colorScheme: 'dark' }],
        ['phone-light', PHONE],
        ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
      ] as const) {
        for (const path of ['runs', 'runs/a'])
          await visit({ ...options, url: `${server.url}/${path}` }, async (page) => {
            await page.getByText('Updates by itself.').waitFor();
            await page.evaluate(script);
            assert.deepEqual(await page.evaluate(seriousViolations), []);
            const { width } = await page.evaluate(pageLayout);
            assert.equal(width, options.viewport?.width, 'no sideways scrolling');
            await shoot(page, `live-${path.replace('/', '-')}-${name}`);
          });
      }
      await visit({ ...DESKTOP, url: `${server.url}/runs/a` }, async (page) => {
        const details = page.locator('details').first();
        await details.locator('summary').click();
        await volume.round(2);
        await figure(page, 'rounds').filter({ hasText: /^2/ }).waitFor();
        assert.equal(await details.getAttribute('open'), '');
      });
    } finally {
      await server.close();
    }
  });
});

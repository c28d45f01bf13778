/** Visits of the page in a real browser: opened, used, photographed, and without a complaint in the console. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { reportViolations } from './in-page.js';

/** After this time nothing moves any more. */
const REST_MS = 900;

/** Screenshots are kept here (ignored by git) for people to look at. */
const ARTIFACTS = fileURLToPath(new URL('../../../test-artifacts/', import.meta.url));

export const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 900 } };
export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

/** What a visit does. It may take complaints that it expects out of the list. */
export type Act = (page: Page, complaints: string[]) => Promise<void>;

/** Opens the page at `url`, does something, and fails on any complaint in the console (blocked content among them). */
export async function visitPage(
  browser: Browser,
  { url, ...options }: BrowserContextOptions & { readonly url: string },
  act: Act,
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    // Playwright's own 30 s are little where a browser and a server share a busy machine.
    context.setDefaultTimeout(120_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.addInitScript(reportViolations);
    await page.goto(url);
    await act(page, complaints);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Keeps a picture of the whole page at rest, where `FEDBATCH_SCREENSHOTS` is set: it takes time, and no test reads it. */
export async function shoot(page: Page, name: string): Promise<void> {
  if (process.env.FEDBATCH_SCREENSHOTS === undefined) return;
  await page.waitForTimeout(REST_MS);
  await mkdir(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: true });
}

/** Draws a 7 on the pad with the mouse. */
export async function drawSeven(page: Page): Promise<void> {
  const { x, y, width, height } = (await page.locator('#pad').boundingBox()) ?? assert.fail('no pad');
  const points = [
    [0.38, 0.2],
    [0.62, 0.2],
    [0.62, 0.85],
  ] as const;
  for (const [at, [right, down]] of points.entries()) {
    await page.mouse.move(x + width * right, y + height * down, { steps: at === 0 ? 1 : 6 });
    if (at === 0) await page.mouse.down();
  }
  await page.mouse.up();
}

/** Visits of the page in a real browser: opened, used, photographed, and without a complaint in the console. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { startChromium, type Tabs } from './chromium.js';
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

/** What distinguishes a visit from others of the same tab. */
interface Visit extends BrowserContextOptions {
  readonly url: string;
}

/** A browser, and a directory for files, that the tests of a suite have in common. */
interface BrowserSuite {
  /**
   * Opens the page at `url`, does something, and fails on any complaint in the console (blocked content among them).
   * Visits of the same device share a tab, which forgets the visit at its end.
   */
  visit(visit: Visit, act: Act): Promise<void>;
  /** The path of a file in the directory. */
  fileAt(name: string): string;
  /** Writes a photo-like picture: mostly of one colour, brighter at the top. Returns its path. */
  photo(name: string, colour: readonly [red: number, green: number, blue: number]): Promise<string>;
}

/** Starts them before the suite that calls this, and ends them after it. */
export function browserSuite(): BrowserSuite {
  let browser: Tabs;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });
  const fileAt = (name: string) => join(directory, name);
  // By what only a new tab can change: starting one takes longer than most visits.
  const tabs = new Map<string, Promise<Page>>();
  return {
    fileAt,
    async visit({ url, viewport, colorScheme = 'light', ...device }, act) {
      const key = JSON.stringify(device);
      const tab = tabs.get(key) ?? openTab(browser, device);
      // Where the visit fails, the next one gets a new tab.
      tabs.delete(key);
      const page = await tab;
      try {
        const complaints: string[] = [];
        page.on('console', (message) => {
          if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
        });
        page.on('pageerror', (error) => complaints.push(error.message));
        await page.emulateMedia({ colorScheme });
        if (viewport) await page.setViewportSize(viewport);
        await page.goto(url);
        await act(page, complaints);
        assert.deepEqual(complaints, []);
        await forgetVisit(page);
        tabs.set(key, tab);
      } finally {
        if (!tabs.has(key)) await page.context().close();
      }
    },
    async photo(name, colour) {
      const [width, height] = [400, 260];
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
        const light = 1 - (0.5 * Math.floor(at / 3 / width)) / height;
        return (colour[at % 3] ?? 0) * light + ((at * 7919) % 23);
      });
      const path = fileAt(name);
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg()
        .toFile(path);
      return path;
    },
  };
}

async function openTab(browser: Tabs, device: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(device);
  // Playwright's own 30 s are little where a browser and a server share a busy machine.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  await page.addInitScript(reportViolations);
  return page;
}

/** Leaves a tab as a new one: nothing is stored, and nobody listens. */
async function forgetVisit(page: Page): Promise<void> {
  page.removeAllListeners();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.evaluate('sessionStorage.clear()');
  await page.context().clearCookies();
  await page.goto('about:blank');
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

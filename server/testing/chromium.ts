/** Finds and starts the Chromium of this machine for tests of the page. */
import { accessSync, constants } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const PLACES = [
  // Without the parts that draw a window it takes a third less processor time.
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Path of a Chromium, `CHROMIUM_PATH` first; undefined where none is installed. */
function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  return (named === undefined ? PLACES : [named]).find(isExecutable);
}

/**
 * Why tests of the page must be skipped here, or false. In CI they never are: there the lack of a browser is a failure.
 *
 * @throws {Error} in CI without a browser
 */
export function skipWithoutChromium(): string | false {
  if (findChromium() !== undefined) return false;
  const reason = 'no Chromium is installed (set CHROMIUM_PATH, or install one of: chromium, google-chrome)';
  if (process.env.CI === 'true') throw new Error(`The page cannot be tested: ${reason}.`);
  return reason;
}

/** Tabs with a profile of their own. */
export type Tabs = Pick<Browser, 'newContext' | 'newPage' | 'close'>;

/** How long the browser stays without a tab: the next test file of the process may ask for one. */
const IDLE_MS = 3_000;

let browser: Promise<Browser> | undefined;
let users = 0;
let closing: NodeJS.Timeout | undefined;

/** Starts the browser, or opens another profile in the one that runs for this process. */
export async function startChromium(): Promise<Tabs> {
  clearTimeout(closing);
  users += 1;
  browser ??= launch();
  const running = await browser;
  const contexts: BrowserContext[] = [];
  const newContext = async (options?: BrowserContextOptions) => {
    const context = await running.newContext(options);
    contexts.push(context);
    return context;
  };
  return {
    newContext,
    newPage: async (options) => (await newContext(options)).newPage(),
    async close() {
      await Promise.all(contexts.map((context) => context.close()));
      users -= 1;
      if (users > 0) return;
      closing = setTimeout(() => {
        browser = undefined;
        void running.close();
      }, IDLE_MS);
    },
  };
}

function launch(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('There is no Chromium.');
  return chromium.launch({ executablePath, args: FLAGS });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

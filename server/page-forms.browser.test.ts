/** The page of models of tables and of any task in Chromium: filled in, answered in place, on a phone and without JavaScript. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { createWorkerPredictor } from './models/worker-predictor.js';
import { skipWithoutChromium } from './testing/chromium.js';
import { isOnScreen, pageLayout, seriousViolations } from './testing/in-page.js';
import { serveApp } from './testing/served-app.js';
import { FLOWERS, HOUSES, SCENES, SKIN, type TaskModel, writeTaskModel } from './testing/task-model.js';
import { browserSuite, DESKTOP, PHONE, shoot } from './testing/visits.js';

/** The accessibility checker, as a script for the page. */
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** The narrowest screen that people have. */
const NARROW = { ...PHONE, viewport: { width: 360, height: 740 }, colorScheme: 'dark' } as const;

const answered = (page: Page) => page.locator('#answer[data-state=done]').waitFor();

describe('the form page in Chromium', { skip: skipWithoutChromium() }, () => {
  const { visit, fileAt, photo } = browserSuite();

  /** Serves a model for visits. */
  async function serving(model: TaskModel, act: (url: string) => Promise<void>): Promise<void> {
    const modelPath = await writeTaskModel(await mkdtemp(fileAt('model-')), model);
    const app = await serveApp({ predictor: await createWorkerPredictor({ modelPath, threads: 1 }) });
    try {
      await act(app.url);
    } finally {
      await app.close();
    }
  }

  async function fillFlower(page: Page): Promise<void> {
    await page.getByLabel('width').fill('1.25');
    await page.getByLabel('height').fill('2');
    await page.getByLabel('soil').selectOption('loam');
  }

  it('of a table: each column is a field, and the class comes in place, with bars', async () => {
    await serving(FLOWERS, async (url) => {
      await visit({ ...DESKTOP, url }, async (page, complaints) => {
        await fillFlower(page);
        await page.getByRole('button', { name: 'Ask' }).click();
        await answered(page);
        assert.match(
          (await page.textContent('#said .sentence')) ?? '',
          /^(iris|rose|tulip), \d+\.\d % sure\.$/,
        );
        assert.deepEqual(await page.locator('#said .class').allTextContents(), ['iris', 'rose', 'tulip']);
        assert.equal(new URL(page.url()).pathname, '/', 'the page stays');
        assert.equal(await page.inputValue('#input-0-0'), '1.25', 'and so does what was filled in');
        await shoot(page, 'form-table-desktop-light');
        // An answer that the server refuses takes the place of the one before.
        await page.evaluate('document.querySelector("option[value=loam]").value = "peat"');
        await page.getByRole('button', { name: 'Ask' }).click();
        await page.getByRole('alert').getByText('"peat"').waitFor();
        assert.equal(await page.locator('#said .sentence').count(), 0);
        // The browser itself notes each 400 in its console.
        assert.match(complaints.splice(0).join('\n'), /^[^\n]*400[^\n]*$/);
      });
      await visit({ ...NARROW, url }, async (page) => {
        assert.equal((await page.evaluate(pageLayout)).width, 360, 'no sideways scrolling');
        await fillFlower(page);
        await page.getByRole('button', { name: 'Ask' }).tap();
        await answered(page);
        await page.waitForFunction(isOnScreen, '#said .sentence');
        await page.evaluate(await readFile(AXE, 'utf8'));
        await page.waitForTimeout(300);
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        await shoot(page, 'form-table-phone-dark');
      });
    });
  });

  it('of a table: a file of many is answered on the page, and comes back as a file', async () => {
    const table = fileAt('flowers.csv');
    await writeFile(table, 'id,soil,width,height\n7,loam,1.25,2\n8,clay,3,\n9,sand,2,2\n');
    await serving(FLOWERS, async (url) => {
      await visit({ ...DESKTOP, url }, async (page) => {
        await page.setInputFiles('#table', table);
        assert.equal(await page.textContent('.table .chosen'), 'flowers.csv');
        await page.getByRole('button', { name: 'Show answers' }).click();
        await answered(page);
        assert.equal(await page.locator('#said .examples > li').count(), 3);
        await shoot(page, 'form-table-many');
        const coming = page.waitForEvent('download');
        await page.getByRole('button', { name: 'Download CSV' }).click();
        const download = await coming;
        assert.equal(download.suggestedFilename(), 'predictions.csv');
        const text = await readFile((await download.path()) ?? '', 'utf8');
        assert.match(text, /^id,prediction,probability\n7,\w+,0\.\d+\n8,/);
      });
    });
  });

  it('of a regression: the number stands there with its unit, by keyboard alone and without JavaScript', async () => {
    await serving(HOUSES, async (url) => {
      await visit({ ...DESKTOP, url }, async (page) => {
        await page.getByLabel('area').focus();
        for (const text of ['90', '4', '1.99', 'Be']) {
          await page.keyboard.type(text);
          await page.keyboard.press('Tab');
        }
        await page.keyboard.press('Enter');
        await answered(page);
        assert.match((await page.textContent('#said')) ?? '', /^price-?[\d.,]+ kEUR$/);
        assert.equal(await page.inputValue('#input-1-0'), 'Bern');
        await shoot(page, 'form-regression-desktop-light');
      });
      await visit({ ...DESKTOP, javaScriptEnabled: false, url }, async (page) => {
        await page.getByLabel('area').fill('90');
        await page.getByLabel('rooms').fill('4');
        await page.getByLabel('year').fill('1.99');
        await page.getByRole('button', { name: 'Ask' }).click();
        assert.equal(new URL(page.url()).pathname, '/predict');
        assert.match((await page.textContent('#said')) ?? '', /^price-?[\d.,]+ kEUR$/);
        assert.equal(await page.inputValue('#input-0-0'), '90');
      });
    });
  });

  it('of a picture and numbers: both are given, and yes or no is called by its name', async () => {
    const path = await photo('mole.jpg', [200, 120, 60]);
    await serving(SKIN, async (url) => {
      await visit({ ...DESKTOP, url }, async (page) => {
        await page.setInputFiles('#input-0', path);
        await page.locator('.preview').waitFor();
        await page.getByLabel('age').fill('47');
        await page.getByLabel('size').fill('0.5');
        await page.getByRole('button', { name: 'Ask' }).click();
        await answered(page);
        assert.match(
          (await page.textContent('#said .sentence')) ?? '',
          /^(harmless|suspicious), \d+\.\d % sure/,
        );
        assert.deepEqual(await page.locator('#said .class').allTextContents(), ['harmless', 'suspicious']);
        await page.evaluate(await readFile(AXE, 'utf8'));
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        await shoot(page, 'form-two-inputs-desktop-light');
      });
      await visit({ ...NARROW, url }, async (page) => {
        await page.setInputFiles('#input-0', path);
        assert.equal((await page.evaluate(pageLayout)).width, 360, 'no sideways scrolling');
        await shoot(page, 'form-two-inputs-phone-dark');
      });
    });
  });

  it('of labels of a picture: those that hold are named', async () => {
    const path = await photo('beach.jpg', [60, 120, 200]);
    await serving(SCENES, async (url) => {
      await visit({ ...DESKTOP, colorScheme: 'dark', url }, async (page) => {
        assert.equal(await page.locator('#pad').count(), 0);
        await page.setInputFiles('#input-0', path);
        await page.getByRole('button', { name: 'Ask' }).click();
        await answered(page);
        const shares = (await page.locator('#said .share').allTextContents()).map(Number.parseFloat);
        const holding = (SCENES.labels ?? []).filter((_, at) => (shares[at] ?? 0) > 50);
        const sentence = (await page.textContent('#said .sentence')) ?? '';
        assert.equal(sentence, holding.join(', ') || 'None of the 4 labels holds.');
        assert.deepEqual(await page.locator('#said .best .class').allTextContents(), holding);
        await shoot(page, 'form-labels-desktop-dark');
      });
    });
  });
});

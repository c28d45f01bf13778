import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import type { BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { skipWithoutChromium } from './testing/chromium.js';
import {
  dropPng,
  hasPadAnswer,
  imageSize,
  isAnswerEmpty,
  isAnswered,
  isAnswerOnTop,
  isOnScreen,
  isReadingWhole,
  pageLayout,
  pastePng,
  seriousViolations,
} from './testing/in-page.js';
import { digitPng, linesPng, ON_PAPER } from './testing/segment-digits.js';
import { type ServedApp, serveApp } from './testing/served-app.js';
import { type Act, browserSuite, DESKTOP, drawSeven, PHONE, shoot } from './testing/visits.js';

/** The accessibility checker, as a script for the page. */
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What the last of the shown steps is called. */
const INPUT_STEP = 'centred: the input';

describe('the page in Chromium', { skip: skipWithoutChromium() }, () => {
  let app: ServedApp;
  const { visit: visitAny, fileAt } = browserSuite();
  before(async () => {
    app = await serveApp({ limits: { maxFileBytes: 100_000 } });
  });
  after(() => app?.close());

  const visit = (options: BrowserContextOptions, act: Act) => visitAny({ ...options, url: app.url }, act);

  const picture = async (name: string, digit: number, drawing = {}) => {
    const path = fileAt(name);
    await writeFile(path, await digitPng(digit, drawing));
    return path;
  };

  /** A picture of digits side by side, in one line or more. */
  const linesOf = async (name: string, ...lines: readonly (readonly number[])[]) => {
    const path = fileAt(name);
    await writeFile(path, await linesPng(lines));
    return path;
  };

  async function assertAnswer(page: Page, digit: number): Promise<void> {
    await page.waitForFunction(isAnswered, String(digit));
    assert.match(
      (await page.textContent('#sentence')) ?? '',
      new RegExp(`^It looks like an? ${digit}, \\d+\\.\\d % sure\\.$`),
    );
    const shares = await page.locator('#bars .share').allTextContents();
    const values = shares.map(Number.parseFloat);
    assert.equal(shares.length, 10);
    assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) - 100) < 1);
    assert.equal(await page.locator('#bars .best .class').textContent(), String(digit));
    assert.deepEqual(await page.evaluate(imageSize, '#seen'), [28, 28]);
    assert.match((await page.getAttribute('#seen', 'src')) ?? '', /^data:image\/png;base64,/);
    assert.equal(await page.locator('#steps .step').last().locator('figcaption').textContent(), INPUT_STEP);
    const [width] = await page.evaluate(imageSize, '#given');
    assert.ok(width > 0, 'the given picture is shown');
    assert.equal(await page.textContent('#error'), '');
  }

  it('reads an uploaded picture in place', async () => {
    await visit(DESKTOP, async (page) => {
      await shoot(page, 'desktop-light-before');
      await page.setInputFiles('#file', await picture('seven.png', 7, ON_PAPER));
      await assertAnswer(page, 7);
      assert.equal(new URL(page.url()).pathname, '/', 'without leaving the page');
      await shoot(page, 'desktop-light-after');
      await page.setInputFiles('#file', await picture('two.png', 2));
      await assertAnswer(page, 2);
    });
  });

  it('reads a sample that is clicked on, and one chosen by keyboard', async () => {
    await visit({ ...DESKTOP, colorScheme: 'dark' }, async (page) => {
      await shoot(page, 'desktop-dark-before');
      await page.getByLabel('Sample: digit 5').click();
      await assertAnswer(page, 5);
      assert.equal(await page.locator('.samples [aria-current=true]').count(), 1);
      await shoot(page, 'desktop-dark-after');
      await page.getByLabel('Sample: digit 8').focus();
      await page.keyboard.press('Enter');
      await assertAnswer(page, 8);
      assert.equal((await page.evaluate(pageLayout)).background, 'rgb(17, 19, 24)');
    });
  });

  it('reads a picture that is dropped anywhere, and one that is pasted', async () => {
    await visit(DESKTOP, async (page) => {
      assert.deepEqual(
        await page.evaluate(dropPng, [...(await digitPng(3, ON_PAPER))]),
        ['dragenter', 'dragover'],
        'the page shows where to drop until it is done',
      );
      await assertAnswer(page, 3);
      await page.evaluate(pastePng, [...(await digitPng(9, ON_PAPER))]);
      await assertAnswer(page, 9);
    });
  });

  it('says in words what was wrong, and reads the next picture', async () => {
    await visit(DESKTOP, async (page, complaints) => {
      const text = fileAt('text.png');
      await writeFile(text, 'not a picture');
      await page.setInputFiles('#file', text);
      await page.getByRole('alert').getByText('found a text file').waitFor();
      assert.ok(await page.evaluate(isOnScreen, '#error'), 'what was wrong can be seen without scrolling');
      await shoot(page, 'desktop-light-error');
      // The browser itself notes the 415 in its console; nothing else may be there.
      assert.equal(complaints.length, 1);
      assert.match(complaints.pop() ?? '', /415/);
      await page.setInputFiles('#file', await picture('one.png', 1));
      await assertAnswer(page, 1);
    });
  });

  it('takes an older answer away where a picture cannot be read, and shows why on every screen', async () => {
    for (const options of [DESKTOP, { ...PHONE, colorScheme: 'dark' } as const]) {
      await visit(options, async (page, complaints) => {
        await page.setInputFiles('#file', await picture('six.png', 6));
        await assertAnswer(page, 6);
        const text = fileAt('text.png');
        await writeFile(text, 'not a picture');
        await page.setInputFiles('#file', text);
        await page.getByRole('alert').getByText('found a text file').waitFor();
        assert.ok(await page.evaluate(isAnswerEmpty), 'nothing of the 6 is left');
        await page.waitForFunction(isOnScreen, '#error');
        assert.match(complaints.splice(0).join('\n'), /^[^\n]*415[^\n]*$/);
        await shoot(page, options === DESKTOP ? 'desktop-light-error-after' : 'phone-dark-error-after');
      });
    }
  });

  it('says that it found nothing in a blank picture, and keeps no entry of it', async () => {
    const path = fileAt('blank.png');
    await sharp({ create: { width: 300, height: 200, channels: 3, background: '#fdfdfb' } }).toFile(path);
    for (const options of [{ ...DESKTOP, colorScheme: 'dark' } as const, PHONE]) {
      await visit(options, async (page) => {
        await page.setInputFiles('#file', path);
        await page.getByText('Nothing to read was found in the picture.').waitFor();
        assert.equal(await page.textContent('#digit'), '–');
        assert.deepEqual(await page.locator('#bars .best').count(), 0);
        assert.equal(await page.locator('.past-entry').count(), 0);
        await shoot(page, options === PHONE ? 'phone-light-blank' : 'desktop-dark-blank');
        await page.setInputFiles('#file', await picture('two.png', 2));
        await assertAnswer(page, 2);
      });
    }
  });

  it('reads two lines as two, and five digits whole on a phone', async () => {
    for (const options of [DESKTOP, PHONE, { ...PHONE, viewport: { width: 320, height: 640 } }]) {
      await visit(options, async (page) => {
        await page.setInputFiles('#file', await linesOf('lines.png', [4, 2], [1, 7, 5]));
        await page.waitForFunction(isAnswered, '42\n175');
        assert.match(
          (await page.textContent('#sentence')) ?? '',
          /^It reads 2 lines: 42, 175\. It is least sure of the \d: /,
        );
        assert.equal(await page.locator('#digits button').count(), 5);
        assert.equal(await page.locator('.past-entry strong').textContent(), '42 / 175');
        assert.ok(await page.evaluate(isReadingWhole), 'both lines can be seen');
        const { width } = options.viewport ?? {};
        await shoot(page, `lines-${width}`);
        await page.setInputFiles('#file', await linesOf('five.png', [8, 0, 9, 6, 4]));
        await page.waitForFunction(isAnswered, '80964');
        assert.ok(await page.evaluate(isReadingWhole), 'all five digits can be seen');
        await shoot(page, `five-${width}`);
      });
    }
  });

  it('shrinks a photo that is larger than the server takes', async () => {
    await visit(DESKTOP, async (page) => {
      const noise = {
        width: 1500,
        height: 1500,
        left: 500,
        top: 300,
        digitHeight: 900,
        ink: [0, 0, 0],
        paper: [255, 255, 255],
      } as const;
      const path = await picture('large.png', 4, noise);
      await sharp(path).png({ compressionLevel: 0 }).toFile(fileAt('huge.png'));
      await page.setInputFiles('#file', fileAt('huge.png'));
      await assertAnswer(page, 4);
    });
  });

  it('keeps the newest picture when answers overtake each other', async () => {
    await visit(DESKTOP, async (page) => {
      let held = 0;
      await page.route(/\/upload\?/, async (route) => {
        if (held++ === 0) await new Promise((resolve) => setTimeout(resolve, 600));
        await route.continue().catch(() => undefined);
      });
      await page.getByLabel('Sample: digit 6').click();
      await page.getByLabel('Sample: digit 0').click();
      await assertAnswer(page, 0);
      await page.waitForTimeout(900);
      await assertAnswer(page, 0);
    });
  });

  it('works on a phone: nothing is cut off, and the answer comes into view', async () => {
    await visit(PHONE, async (page) => {
      await shoot(page, 'phone-before');
      await page.getByLabel('Sample: digit 7').tap();
      await assertAnswer(page, 7);
      await page.waitForFunction(isAnswerOnTop);
      assert.equal((await page.evaluate(pageLayout)).width, 390, 'no sideways scrolling');
      await shoot(page, 'phone-after');
    });
  });

  it('reads a drawing while it is drawn, forgets it, and keeps one entry of it', async () => {
    await visit(DESKTOP, async (page) => {
      await drawSeven(page);
      await page.waitForFunction(hasPadAnswer);
      await assertAnswer(page, 7);
      assert.match((await page.textContent('#pad-answer')) ?? '', /^7 · \d+\.\d %$/);
      assert.equal(await page.locator('.past-entry').count(), 1);
      await shoot(page, 'desktop-light-drawn');
      await page.getByRole('button', { name: 'Clear' }).click();
      assert.equal(await page.textContent('#pad-answer'), '');
      assert.ok(await page.evaluate(isAnswerEmpty), 'the answer has gone with the drawing');
      assert.equal(await page.title(), 'Which digit is it? · fedbatch');
      assert.equal(await page.getByRole('button', { name: 'Undo' }).isDisabled(), true);
    });
  });

  it('is drawn on by keyboard alone', async () => {
    await visit(DESKTOP, async (page) => {
      await page.locator('#pad').focus();
      await page.keyboard.press('Space');
      for (let step = 0; step < 20; step++) await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Space');
      await page.waitForFunction(hasPadAnswer);
      await assertAnswer(page, 1);
    });
  });

  it('shows each of several digits, and its steps when it is chosen', async () => {
    await visit(DESKTOP, async (page) => {
      await page.setInputFiles('#file', await linesOf('row.png', [4, 2, 7]));
      await page.waitForFunction(isAnswered, '427');
      assert.match(
        (await page.textContent('#sentence')) ?? '',
        /^It reads 427\. It is least sure of the \d: /,
      );
      const choices = page.locator('#digits button');
      assert.equal(await choices.count(), 3);
      assert.equal(await page.locator('#bars .best .class').textContent(), '4');
      await choices.nth(1).click();
      assert.equal(await page.locator('#bars .best .class').textContent(), '2');
      assert.equal(await choices.nth(1).getAttribute('aria-pressed'), 'true');
      await shoot(page, 'desktop-light-several');
    });
  });

  it('keeps what was read in this visit, through a reload, until it is told to forget', async () => {
    await visit(DESKTOP, async (page) => {
      await page.getByLabel('Sample: digit 3').click();
      await assertAnswer(page, 3);
      await page.getByLabel('Sample: digit 6').click();
      await assertAnswer(page, 6);
      await page.reload();
      assert.equal(await page.locator('.past-entry').count(), 2);
      await page.locator('.past-entry').nth(1).click();
      await assertAnswer(page, 3);
      await page.getByRole('button', { name: 'Forget them' }).click();
      assert.equal(await page.locator('#history').isHidden(), true);
    });
  });

  it('has nothing serious for axe to find: empty, answered, blank, refused; bright and dark, wide and narrow', async () => {
    const script = await readFile(AXE, 'utf8');
    for (const options of [DESKTOP, { ...PHONE, colorScheme: 'dark' } as const]) {
      await visit(options, async (page, complaints) => {
        await page.evaluate(script);
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        const [empty, text] = [fileAt('axe-blank.png'), fileAt('axe-text.png')];
        await writeFile(empty, await digitPng(1, { ink: [250, 250, 250], paper: [250, 250, 250] }));
        await writeFile(text, 'not a picture');
        await page.setInputFiles('#file', empty);
        await page.getByText('Nothing to read was found').waitFor();
        await page.waitForTimeout(300);
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        await page.setInputFiles('#file', text);
        await page.getByRole('alert').getByText('found a text file').waitFor();
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        assert.match(complaints.splice(0).join('\n'), /^[^\n]*415[^\n]*$/);
        await page.setInputFiles('#file', await linesOf('axe.png', [5, 9], [3]));
        await page.waitForFunction(isAnswered, '59\n3');
        await page.waitForTimeout(500);
        assert.deepEqual(await page.evaluate(seriousViolations), []);
        assert.ok(await page.evaluate(isReadingWhole), 'all digits can be seen');
        if (options !== DESKTOP) await shoot(page, 'phone-dark-several');
      });
    }
  });

  it('works without JavaScript', async () => {
    await visit({ ...DESKTOP, javaScriptEnabled: false }, async (page) => {
      await page.setInputFiles('#file', await picture('three.png', 3, ON_PAPER));
      await page.getByRole('button', { name: 'Read the digit' }).click();
      assert.equal(new URL(page.url()).pathname, '/upload');
      assert.equal(await page.textContent('#digit'), '3');
      await shoot(page, 'no-javascript-after');
      await page.getByLabel('Sample: digit 9').click();
      assert.equal(await page.textContent('#digit'), '9');
    });
    await visit({ ...PHONE, javaScriptEnabled: false }, async (page, complaints) => {
      const text = fileAt('no-script.png');
      await writeFile(text, 'not a picture');
      await page.setInputFiles('#file', text);
      await page.getByRole('button', { name: 'Read the digit' }).tap();
      await page.getByText('found a text file').waitFor();
      // The text comes before the styles that say where it stands.
      await page.waitForLoadState('load');
      const { y = -1, height = 0 } = (await page.locator('#error').boundingBox()) ?? {};
      assert.ok(y >= 0 && y + height <= 844, `what was wrong is on the screen: ${y}`);
      assert.match(complaints.splice(0).join('\n'), /^[^\n]*415[^\n]*$/);
    });
  });
});

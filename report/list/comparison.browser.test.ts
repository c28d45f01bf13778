/** The page of several runs in a real browser: it fits, it can be read, and axe finds nothing serious. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithoutChromium } from '../../server/testing/chromium.js';
import { checkDrawnPages } from '../../test/drawn-pages.js';
import { runCommand } from '../../test/program-host.js';
import { writeSampleRun } from '../../test/sample-records.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';

const skip = skipWithoutChromium();

test('twelve runs fit a desk and a phone, light and dark', { skip }, async (t) => {
  const directory = await temporaryDirectory(t);
  for (let run = 0; run < 12; run++) {
    const learningRate = 0.01 * (run + 1);
    const facts = {
      name: `learning rate ${learningRate.toFixed(2)}`,
      learningRate,
      accuracy: 0.5 + run / 30,
    };
    await writeSampleRun(join(directory, 'sweep', `${run}`), facts);
  }
  const file = join(directory, 'comparison.html');
  const { exitCode, stderr } = await runCommand('report', [join(directory, 'sweep'), '--out', file]);
  assert.equal(exitCode, 0, stderr);
  await checkDrawnPages(t, { comparison: await readFile(file, 'utf8') });
});

/** Several runs as one page: their curves together, what differs, what came of each; a folder stands for its runs. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { toText } from '../../lib/html/html.js';
import { runCommand } from '../../test/program-host.js';
import { lastLine } from '../../test/programs.js';
import { requireValid } from '../../test/results.js';
import { writeSampleRun } from '../../test/sample-records.js';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { PAGE_SCRIPT } from '../page-script.js';

const folder = sharedDirectory();

const first = await writeSampleRun(join(folder, 'sweep/first'), { accuracy: 0.75, name: '<b>first</b>' });
const second = await writeSampleRun(join(folder, 'sweep/second'), {
  learningRate: 0.5,
  accuracy: 0.875,
  name: 'second',
});

async function compared(...words: readonly string[]): Promise<string> {
  const file = join(folder, 'page.html');
  const { exitCode, stdout, stderr } = await runCommand('report', [...words, '--out', file]);
  assert.equal(exitCode, 0, stderr);
  const result = JSON.parse(lastLine(stdout));
  assert.deepEqual(result, { file, rounds: 6, runs: 2 });
  requireValid('report-result', result);
  return (await readFile(file, 'utf8')).replace(toText(PAGE_SCRIPT), '');
}

test('two runs share a picture of curves, and tables say what differs and what came of each', async () => {
  const page = await compared(first, second);
  assert.match(
    page,
    /second has the best accuracy, 87\.50 %; the next is &lt;b&gt;first&lt;\/b&gt; with 75\.00 %\./,
  );
  assert.doesNotMatch(page, /<b>first|<script|\son[a-z]+=/);
  const charts = [...page.matchAll(/<svg class="chart".*?<\/svg>/gs)].map(([chart]) => chart);
  assert.equal(charts.length, 2);
  for (const chart of charts) assert.equal([...chart.matchAll(/<path class="curve c[01] d0"/g)].length, 2);
  assert.match(
    charts[0] ?? '',
    /<title>round 3\nsecond: 87\.50 %\n&lt;b&gt;first&lt;\/b&gt;: 75\.00 %<\/title>/,
  );
  assert.match(page, /<th scope="row">learning rate η<\/th><td>0\.1<\/td><td>0\.5<\/td>/);
  assert.match(page, /<th scope="row">second<\/th><td data-v="0\.875">87\.50 %<\/td>/);
});

test('a folder stands for all runs below it, those of a sweep for example', async () => {
  assert.match(await compared(join(folder, 'sweep')), /<th scope="row">second<\/th><td data-v="0\.875">/);
});

/** The recorder of a cluster, a process for each step of a run: who watches the run hears of all of them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentReporter } from '../../lib/observability/events.js';
import { startMlflow } from '../../test/mlflow-server.js';
import { settingsFromFlags } from '../../test/settings.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { recordStep } from './record-step.js';

test('what one step has told, the next one goes on with; the trials of a sweep stand below it', async (t) => {
  const played = await startMlflow(t);
  const directory = await temporaryDirectory(t);
  const { settings } = settingsFromFlags(['--clients', '2', '--model', 'mlp']);
  const facts = join(directory, 'facts.json');
  const partOf = JSON.stringify({
    kind: 'sweep',
    id: 'digits-2-0a0b0c0d',
    createdAt: '2026-01-01T00:00:00.000Z',
    runs: 1,
  });
  const step = async (name: 'open' | 'failed', told: object) => {
    await writeFile(facts, JSON.stringify(told));
    return recordStep(name, {
      ...{ volume: join(directory, 'volume'), facts, fresh: false, places: false },
      ...{ reporter: silentReporter, signal: new AbortController().signal },
      watching: { given: { 'watching.mlflow': played.url }, partOf },
    });
  };
  await step('open', { id: 'digits-2x2-0a0b0c0d', name: 'first', settings, threads: 1, retries: 1 });
  const failure = { stage: 'train', round: 1, exitCode: 5, reason: 'the node is gone', next: 'mend it' };
  assert.deepEqual(await step('failed', { settings, failure }), { recorded: true });
  const [sweep, run, ...others] = played.runs;
  assert.equal(others.length, 0);
  assert.deepEqual([sweep?.name, run?.name, run?.status], ['digits-2-0a0b0c0d', 'first', 'FAILED']);
  assert.equal(run?.tags.get('mlflow.parentRunId'), sweep?.id);
  assert.equal(sweep?.status, 'FAILED', 'the last trial has ended');
  assert.equal(run?.tags.get('fedbatch.failure'), 'the node is gone');
  assert.deepEqual([...(run?.files.keys() ?? [])], ['report.html']);
});

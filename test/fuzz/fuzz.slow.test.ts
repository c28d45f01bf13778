/** Each kind of failure is told by its name: of hanging, memory and an end of the process, too; slow inputs that failed once. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runCampaign, tryAlone } from './campaign.js';
import { replayRegressions } from './replay.js';
import { FLAWED } from './targets/registry.js';

describe('inputs that failed once, and take seconds', () => replayRegressions('slow'));

describe('the kinds of failure', () => {
  it('are told apart', async () => {
    const whatOf = async (input: string) => (await tryAlone(FLAWED.all, Buffer.from(input)))?.what;
    assert.equal(await whatOf('-'), undefined);
    assert.equal(await whatOf('M'), 'memory');
    assert.match((await whatOf('K')) ?? '', /^SIGKILL/);
    assert.equal(await whatOf('W'), 'DataError of TypeError');
    assert.equal(await whatOf('R'), 'RangeError');
    assert.equal(await whatOf('H'), 'hang');
  });

  it('are all found, and a campaign that was cut off goes on where its journal ends', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const journal = join(directory, 'journal.jsonl');
    const options = {
      ...{ target: FLAWED.all, seed: 1, journal, untilMs: Number.POSITIVE_INFINITY },
      tell: () => undefined,
    };
    await runCampaign({ ...options, inputs: 2_000 });
    const after = await runCampaign({ ...options, inputs: 4_000 });
    assert.equal(after.inputs, 4_000);
    const pieces = (await readFile(journal, 'utf8')).matchAll(/"piece":(\d+)/g);
    assert.deepEqual([...new Set(Array.from(pieces, ([, piece]) => piece))], ['0', '1', '2', '3']);
    const found = after.failures.map(({ what }) => what).join('\n');
    for (const kind of [/^hang$/m, /^memory$/m, /^SIGKILL/m, /^RangeError/m, /^DataError of TypeError/m])
      assert.match(found, kind);
  });
});

/** Inputs that failed once end as they should; and a campaign is led by the code that its inputs run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCampaign } from './campaign.js';
import { replayRegressions } from './replay.js';
import { FLAWED } from './targets/registry.js';

describe('inputs that failed once', () => replayRegressions('quick'));

describe('a campaign', () => {
  it('finds an error that lies behind several steps by the code that runs there', async () => {
    const said: string[] = [];
    const { failures } = await runCampaign({
      ...{ target: FLAWED.stepwise, inputs: 4_000, seed: 1, journal: undefined },
      untilMs: Number.POSITIVE_INFINITY,
      tell: (line) => said.push(line),
    });
    const [found] = failures;
    assert.match(found?.what ?? '', /^TypeError flawed\.js/, said.join('\n'));
    assert.equal(Buffer.from(found?.input ?? []).toString('latin1'), 'ABC');
  });
});

/** Inputs that failed once end as they should; and a campaign is led by the code that its inputs run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCampaign } from './campaign.js';
import { readRegressions } from './corpus.js';
import { startReader } from './reader-process.js';
import { FLAWED } from './targets/registry.js';

describe('inputs that failed once', async () => {
  const regressions = await readRegressions();
  const byTarget = new Map<string, typeof regressions>();
  for (const each of regressions) byTarget.set(each.target, [...(byTarget.get(each.target) ?? []), each]);
  for (const [target, all] of byTarget) {
    it(`end as a value or a typed error: ${target}`, async () => {
      const reader = await startReader({ target, corpus: [], isGuided: false });
      try {
        for (const { name, input } of all) {
          await reader.ask({ kind: 'try', input }, (reply) => {
            if (reply.kind !== 'tried') return false;
            assert.equal(reply.failure, undefined, name);
            assert.ok(reply.cost.addedBytes < 256 * 2 ** 20, `${name} took ${reply.cost.addedBytes} bytes`);
            return true;
          });
        }
      } finally {
        reader.end();
      }
    });
  }
});

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

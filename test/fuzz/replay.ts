/** Reads the inputs that failed once again. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readRegressions } from './corpus.js';
import { startReader } from './reader-process.js';

const MOST_BYTES = 256 * 2 ** 20;

/** Tests, one for each target: every input ends as a value or a typed error. */
export async function replayRegressions(kind: 'quick' | 'slow'): Promise<void> {
  const regressions = await readRegressions(kind);
  for (const target of new Set(regressions.map((each) => each.target))) {
    it(`end as a value or a typed error: ${target}`, async () => {
      const reader = await startReader({ target, corpus: [], isGuided: false });
      try {
        for (const { name, input } of regressions.filter((each) => each.target === target)) {
          await reader.ask({ kind: 'try', input }, (reply) => {
            if (reply.kind !== 'tried') return false;
            assert.equal(reply.failure, undefined, name);
            assert.ok(reply.cost.addedBytes < MOST_BYTES, `${name} took ${reply.cost.addedBytes} bytes`);
            return true;
          });
        }
      } finally {
        reader.end();
      }
    });
  }
}

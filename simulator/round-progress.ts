/** How far a round is, in one line: clients done, how fast, how long still, and what they learn. */
import type { Reporter } from '../lib/observability/events.js';
import type { TaskResult } from './worker-messages.js';

/** At least this long between two progress events. */
const INTERVAL_MS = 100;

/** Counts the clients of a round. */
interface RoundProgress {
  advance(result: TaskResult): void;
}

/** A count that starts now. */
export function createRoundProgress({
  round,
  clients,
  reporter,
}: {
  readonly round: number;
  readonly clients: number;
  readonly reporter: Reporter;
}): RoundProgress {
  const startedAt = performance.now();
  let toldAt = 0;
  let done = 0;
  const sums = { examples: 0, loss: 0 };
  return {
    advance(result) {
      done++;
      if (result.kind === 'trained') {
        sums.examples += result.examples;
        sums.loss += result.loss * result.examples;
      }
      const now = performance.now();
      if (now - toldAt < INTERVAL_MS && done < clients) return;
      toldAt = now;
      const perSecond = (done * 1000) / (now - startedAt);
      reporter.progress({
        stage: 'train',
        round,
        done,
        total: clients,
        unit: 'clients',
        ...(sums.examples === 0 ? {} : { loss: sums.loss / sums.examples }),
        perSecond,
        secondsLeft: (clients - done) / perSecond,
      });
    },
  };
}

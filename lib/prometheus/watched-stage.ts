/** A stage's program under Prometheus' eyes, where somebody has asked for that. */
import type { Reporter } from '../observability/events.js';
import type { GivenSettings } from '../settings/complete.js';
import { prometheusAsked } from '../settings/parts/watching.js';
import type { MeasuredResult, MeasuredStage } from './stage-metrics.js';

/** Does the work, whose progress and result are metrics meanwhile. @throws {UsageError} when a port cannot be had */
export async function measured<R extends MeasuredResult>(
  stage: MeasuredStage,
  { given, reporter }: { readonly given: GivenSettings; readonly reporter: Reporter },
  work: (reporter: Reporter) => Promise<R>,
): Promise<R> {
  const asked = prometheusAsked(given);
  if (asked === undefined) return work(reporter);
  // Programs start often, and few are watched.
  const { watchStage } = await import('./stage-metrics.js');
  const watched = await watchStage(stage, asked, reporter);
  try {
    const result = await work(watched.reporter);
    watched.ended(result);
    return result;
  } finally {
    await watched.close();
  }
}

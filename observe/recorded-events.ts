/** The events that a run's record holds already: for those who come later, or missed some. */
import { jsonOrNothing } from '../lib/formats/files/json-document.js';
import { metricsEventSchema, type TimedEvent } from '../lib/formats/metrics-event.js';
import { eventLines } from '../lib/formats/runs/event-lines.js';

/**
 * Reads the events of `metrics.jsonl` at `path`, some at a time: none where there are none. What is no event, or one of a
 * later version, is passed over.
 */
export async function* recordedEvents(path: string): AsyncGenerator<readonly TimedEvent[]> {
  for await (const lines of eventLines(path)) {
    yield lines.flatMap((line) => {
      const { data } = metricsEventSchema.safeParse(jsonOrNothing(line));
      return data === undefined ? [] : [data as TimedEvent];
    });
  }
}

/** The events that a run's record holds already: for those who come later, or missed some. */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { jsonOrNothing } from '../lib/formats/files/json-document.js';
import { metricsEventSchema, type TimedEvent } from '../lib/formats/metrics-event.js';

/** So many are in memory at a time. */
const PART = 500;

/**
 * Reads the `metrics.jsonl` at `path`, some events at a time: none where there is no such file. What is no event, or one of
 * a later version, is passed over.
 */
export async function* recordedEvents(path: string): AsyncGenerator<readonly TimedEvent[]> {
  if (!existsSync(path)) return;
  const lines = createInterface({
    input: createReadStream(path, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let part: TimedEvent[] = [];
  for await (const line of lines) {
    const event = metricsEventSchema.safeParse(jsonOrNothing(line)).data as TimedEvent | undefined;
    if (event === undefined) continue;
    part.push(event);
    if (part.length < PART) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

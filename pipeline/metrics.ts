/** The events of a run: `metrics.jsonl`, one JSON object per line and event, added to and never rewritten. */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import type { RunEvent } from '../lib/formats/metrics-event.js';

/** Adds events to the file, each with its time. */
export interface MetricsFile {
  append(event: RunEvent): Promise<void>;
}

/** Opens the `metrics.jsonl` at `path`; a last line that a killed process left unfinished is dropped. */
export async function openMetrics(path: string): Promise<MetricsFile> {
  const bytes = await readFile(path).catch(() => undefined);
  const end = bytes === undefined ? 0 : bytes.lastIndexOf(0x0a) + 1;
  if (bytes !== undefined && end < bytes.length) await truncate(path, end);
  return {
    append: (event) => appendFile(path, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`),
  };
}

/** The events of a run as they are told: those that lie there, then new ones until the run is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { jsonOrNothing } from '../../lib/formats/files/json-document.js';
import { lockHolder } from '../../lib/formats/files/lock-file.js';
import { createEventReader } from '../../lib/formats/runs/event-lines.js';
import { sessionState } from '../../lib/formats/runs/run-status.js';
import { gatherSessions } from '../../lib/formats/runs/sessions.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { eventText } from './event-text.js';

/** What is printed, and how. */
interface LogsOptions {
  /** Lines as they are. */
  readonly json: boolean;
  /** The last ones alone; all by default. */
  readonly lines?: number | undefined;
  readonly follow: boolean;
  readonly print: (line: string) => void;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Between two looks at the file. */
const LOOK_MS = 500;

/** Prints the events of the run on a volume. */
export async function printEvents(volume: string, options: LogsOptions): Promise<void> {
  const paths = volumePaths(volume);
  const { json, lines: most, follow, print, warn, signal } = options;
  const events = createEventReader(paths.metrics);
  const told = gatherSessions(paths.metrics);
  const show = (line: string) => {
    const value = jsonOrNothing(line);
    if (value === undefined)
      warn(`${paths.metrics}: a line is damaged and passed over: ${line.slice(0, 60)}`);
    else print(json ? line : eventText(value));
  };
  /** Hands on the lines that were added; returns how many they are. */
  const hear = async (use: (line: string) => void): Promise<number> => {
    let number = 0;
    for await (const lines of events.more()) {
      number += lines.length;
      for (const line of lines) {
        told.hear(line);
        use(line);
      }
    }
    return number;
  };
  const last: string[] = [];
  const there = await hear((line) => {
    if (most === undefined) return show(line);
    last.push(line);
    if (last.length > most) last.shift();
  });
  for (const line of last) show(line);
  for (const note of told.tell(events.isCut()).notes) warn(note);
  if (there === 0 && !follow) warn(`${paths.metrics}: the run has told nothing yet.`);
  while (follow && !signal.aborted) {
    // Asked first: whoever ends has told its end before.
    const holder = await lockHolder(paths.lock);
    const added = await hear(show);
    const { state, why } = sessionState(told.tell(events.isCut()), holder);
    if (added === 0 && state !== 'running' && state !== 'begun') {
      if (state === 'stopped' && why !== undefined) warn(why);
      return;
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

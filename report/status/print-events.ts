/** The events of a run as they are told: those that lie there, then new ones until the run is over. */
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { jsonOrNothing } from '../../lib/formats/files/json-document.js';
import { lockHolder } from '../../lib/formats/files/lock-file.js';
import { errorCode } from '../../lib/formats/files/read-file.js';
import { sessionState } from '../../lib/formats/runs/run-status.js';
import { readSessions } from '../../lib/formats/runs/sessions.js';
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
  const tail = createTail(paths.metrics);
  const show = (line: string) => {
    const value = jsonOrNothing(line);
    if (value === undefined)
      warn(`${paths.metrics}: a line is damaged and passed over: ${line.slice(0, 60)}`);
    else print(json ? line : eventText(value));
  };
  let sessions = await readSessions(paths.metrics);
  const there = await tail.more();
  for (const line of most === undefined ? there : there.slice(Math.max(0, there.length - most))) show(line);
  for (const note of sessions.notes) warn(note);
  if (there.length === 0 && !follow) warn(`${paths.metrics}: the run has told nothing yet.`);
  while (follow && !signal.aborted) {
    // Asked first: whoever ends has told its end before.
    const holder = await lockHolder(paths.lock);
    const lines = await tail.more();
    for (const line of lines) show(line);
    if (lines.length > 0) sessions = await readSessions(paths.metrics);
    const { state, why } = sessionState(sessions, holder);
    if (lines.length === 0 && state !== 'running' && state !== 'begun') {
      if (state === 'stopped' && why !== undefined) warn(why);
      return;
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Reads the lines that are added to a file; one that is not ended yet waits. */
function createTail(path: string): { more(): Promise<readonly string[]> } {
  let offset = 0;
  return {
    async more() {
      const file = await open(path).catch((error: unknown) => {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      });
      if (file === undefined) {
        offset = 0;
        return [];
      }
      try {
        const { size } = await file.stat();
        // The run was started over.
        if (size < offset) offset = 0;
        const bytes = await readFrom(file, { offset, size });
        const end = bytes.lastIndexOf(0x0a) + 1;
        offset += end;
        return bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
      } finally {
        await file.close();
      }
    },
  };
}

async function readFrom(
  file: FileHandle,
  { offset, size }: { readonly offset: number; readonly size: number },
): Promise<Buffer> {
  const bytes = Buffer.alloc(size - offset);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
  return bytes.subarray(0, bytesRead);
}

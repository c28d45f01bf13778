/** The reporter for people: plain sentences, and one line of progress that is redrawn on a terminal. */
import type { ProgressEvent, Reporter } from './events.js';
import { formatProgress } from './format.js';

/** Between two progress lines of one stage where the output is no terminal. */
const PLAIN_INTERVAL_MS = 5_000;
/** Columns of such a line. */
const PLAIN_WIDTH = 110;
/** Between two redraws on a terminal. */
const REDRAW_INTERVAL_MS = 80;

/** A reporter that writes to `stream` (stderr by default): redrawn lines on a terminal, occasional ones elsewhere. */
export async function createHumanReporter(stream: NodeJS.WriteStream = process.stderr): Promise<Reporter> {
  const display = stream.isTTY ? await terminalProgress(stream) : plainProgress(stream);
  const say = (text: string) => {
    display.clear();
    stream.write(`${text}\n`);
  };
  return {
    info: (message) => say(message),
    warn: (message) => say(`warning: ${message}`),
    error: (message) => say(`error: ${message}`),
    progress: (event) => display.show(event),
    close: () => display.close(),
  };
}

interface ProgressDisplay {
  show(event: ProgressEvent): void;
  /** Makes room for a message; what runs is drawn again with the next event. */
  clear(): void;
  /** Forgets what runs. */
  close(): void;
}

const keyOf = (event: ProgressEvent) => `${event.stage}/${event.client ?? ''}`;
const isLast = (event: ProgressEvent) => event.done >= event.total;

/** Keeps one line per running stage and client at the bottom of the terminal; a finished one stays behind. */
async function terminalProgress(stream: NodeJS.WriteStream): Promise<ProgressDisplay> {
  // Stages of a job have no terminal, and start faster without what draws on one.
  const { createLogUpdate } = await import('log-update');
  const display = createLogUpdate(stream);
  const running = new Map<string, string>();
  let drawnAt = 0;
  return {
    show(event) {
      const line = formatProgress(event, Math.max(40, (stream.columns ?? 80) - 1));
      if (isLast(event)) {
        running.delete(keyOf(event));
        display.clear();
        stream.write(`${line}\n`);
      } else {
        running.set(keyOf(event), line);
        if (Date.now() - drawnAt < REDRAW_INTERVAL_MS) return;
      }
      drawnAt = Date.now();
      if (running.size > 0) display([...running.values()].join('\n'));
    },
    clear: () => display.clear(),
    close() {
      running.clear();
      display.clear();
      display.done();
    },
  };
}

/** Writes a line at the start, at the end and every few seconds between. */
function plainProgress(stream: NodeJS.WriteStream): ProgressDisplay {
  const writtenAt = new Map<string, number>();
  return {
    show(event) {
      const key = keyOf(event);
      if (!isLast(event) && Date.now() - (writtenAt.get(key) ?? 0) < PLAIN_INTERVAL_MS) return;
      writtenAt.set(key, Date.now());
      stream.write(`${formatProgress(event, PLAIN_WIDTH)}\n`);
    },
    clear() {},
    close() {},
  };
}

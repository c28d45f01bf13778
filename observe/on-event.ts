/** `--on-event`: a program of the user's own that hears each event of a run as a line of JSON on its stdin. */
import { execa } from 'execa';
import type { Reporter } from '../lib/observability/events.js';
import { environmentOfUsers, signalGroup } from '../lib/system/processes.js';
import type { RunWatcher } from './watcher.js';

/** What to start, and for which run. */
export interface EventProgram {
  /** A command line, for the shell. */
  readonly command: string;
  /** Id of the run. */
  readonly run: string;
  /** Directory of its files. */
  readonly volume: string;
  readonly reporter: Pick<Reporter, 'info' | 'warn'>;
}

/** Bytes that wait for a program which does not read, at most: what comes then is dropped. */
const MOST_WAITING_BYTES = 4 * 2 ** 20;

/** At the end of the run, how long the program may take to end by itself, and then when it is asked to. */
const END_MS = { itself: 3_000, asked: 1_000 } as const;

/** Starts the program with the first event, and closes its stdin after the last one. */
export function eventProgram({ reporter, ...program }: EventProgram): RunWatcher {
  let child: StartedProgram | undefined;
  let dropped = 0;
  return {
    name: '--on-event',
    event(event) {
      child ??= startProgram({ reporter, ...program });
      if (child.hasEnded()) return;
      if (child.waitingBytes() > MOST_WAITING_BYTES) dropped++;
      else child.write(`${JSON.stringify(event)}\n`);
    },
    async close() {
      await child?.end();
      if (dropped === 0) return;
      const what = dropped === 1 ? '1 event was' : `${dropped} events were`;
      reporter.warn(`--on-event: ${what} dropped, since the command does not read its stdin fast enough.`);
    },
  };
}

/** The program at work. */
interface StartedProgram {
  write(line: string): void;
  /** What it has not read yet. */
  waitingBytes(): number;
  /** It may well end before the run does. */
  hasEnded(): boolean;
  /** Lets it end: by itself, or else it is made to. */
  end(): Promise<void>;
}

function startProgram({ command, run, volume, reporter }: EventProgram): StartedProgram {
  // In a group of its own: what it has started ends with it, and Ctrl-C is the run's alone to hear.
  const child = execa(command, {
    shell: true,
    detached: true,
    env: environmentOfUsers({ FEDBATCH_RUN: run, FEDBATCH_VOLUME: volume }),
    extendEnv: false,
    reject: false,
    lines: true,
    buffer: false,
    all: true,
  });
  // A program that reads no more: why it does not is what its end tells.
  child.stdin.on('error', () => undefined);
  let isOver = false;
  let isEnding = false;
  const printed = passOn(child.iterable({ from: 'all' }), (line) => reporter.info(`--on-event: ${line}`));
  const over = child.then(({ failed, exitCode, signal, originalMessage }) => {
    isOver = true;
    if (!failed || isEnding) return;
    const why = signal === undefined ? `ended with exit code ${exitCode}` : `was ended by ${signal}`;
    const how = exitCode === undefined && signal === undefined ? `did not start (${originalMessage})` : why;
    reporter.warn(`--on-event: the command ${how}. The run goes on without it.`);
  });
  return {
    write: (line) => void child.stdin.write(line),
    waitingBytes: () => child.stdin.writableLength,
    hasEnded: () => isOver,
    async end() {
      child.stdin.end();
      const stops = [
        setTimeout(() => {
          isEnding = true;
          signalGroup(child.pid, 'SIGTERM');
        }, END_MS.itself),
        setTimeout(() => signalGroup(child.pid, 'SIGKILL'), END_MS.itself + END_MS.asked),
      ];
      await Promise.all([over, printed]).finally(() => {
        for (const stop of stops) clearTimeout(stop);
      });
    },
  };
}

async function passOn(lines: AsyncIterable<string>, tell: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) tell(line);
  } catch {
    // How the program ended is told elsewhere.
  }
}

/** The sessions of a run, as the lines of its `metrics.jsonl` tell: how the last one stands, what its tests found. */
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import { errorCode, systemReason } from '../../core/system-errors.js';
import { testFiguresSchema } from '../accuracy-record.js';
import { jsonOrNothing } from '../files/json-document.js';
import { EVENTS_VERSION } from '../metrics-event.js';
import { type RunFailure, runFailureSchema } from '../run-results.js';
import { createEventReader } from './event-lines.js';

const time = z.string();

const endSchema = z.object({ time, event: z.literal('end'), seconds: z.record(z.string(), z.number()) });

const testSchema = testFiguresSchema
  .omit({ sha256: true })
  .extend({ time, event: z.literal('evaluation'), round: z.int() });

const stepSeconds = z.object({ train: z.number(), aggregate: z.number(), evaluate: z.number() });

/** What is read of the events: less than docs/schemas says of them, so that lines of any version are understood. */
const sessionEvents = z.discriminatedUnion('event', [
  z.object({
    time,
    event: z.literal('start'),
    schemaVersion: z.number().optional(),
    id: z.string().optional(),
    jobs: z.number().optional(),
    settings: z.object({ federation: z.object({ rounds: z.int() }) }).optional(),
  }),
  testSchema,
  z.object({ time, event: z.literal('round'), round: z.int(), seconds: stepSeconds }),
  endSchema,
  runFailureSchema.extend({ time, event: z.literal('failure') }),
]);

type SessionEvent = z.infer<typeof sessionEvents>;

/** One session that came to its end: seconds by stage, and their total. */
export type Session = Pick<z.infer<typeof endSchema>, 'time' | 'seconds'>;

/** A test of the global model after a round. */
export type RoundTest = Omit<z.infer<typeof testSchema>, 'event'>;

/** A session that is not over is at work, or was killed. */
export type RunState =
  | { readonly kind: 'begun' | 'finished'; readonly time: string }
  | { readonly kind: 'failed'; readonly time: string; readonly failure: RunFailure };

/** What the events tell. */
export interface RunSessions {
  /** Those that came to their end: a run that was stopped and went on has several. */
  readonly sessions: readonly Session[];
  /** How the last one stands; undefined where none has begun. */
  readonly state?: RunState | undefined;
  /** The last beginning. */
  readonly start?: Extract<SessionEvent, { event: 'start' }> | undefined;
  /** One of each round, the newest, in the order of the rounds. */
  readonly tests: readonly RoundTest[];
  /** Seconds of each round of the last session. */
  readonly roundSeconds: readonly number[];
  /** When something was told last. */
  readonly lastTime?: string | undefined;
  /** What is wrong with the file, a sentence each. */
  readonly notes: readonly string[];
}

/** By their names in the line, so that the others, which may be many, are not parsed. */
const WANTED = /"event":"(?:start|evaluation|round|end|failure)"/;

/** What is gathered from lines that come one after the other. */
export interface SessionsSoFar {
  hear(line: string): void;
  /** @param isCut whether a last line has no end: it is still being written, or its writer was killed */
  tell(isCut: boolean): RunSessions;
}

/** Gathers from the lines of the events at `path`. Those of later versions, or that are damaged, are passed over. */
export function gatherSessions(path: string): SessionsSoFar {
  const events: SessionEvent[] = [];
  let [lost, lastLine] = [0, ''];
  return {
    hear(line) {
      if (line !== '') lastLine = line;
      if (!WANTED.test(line)) return;
      const { data } = sessionEvents.safeParse(jsonOrNothing(line));
      if (data === undefined) lost++;
      else events.push(data);
    },
    tell(isCut) {
      const notes = [...notesOfVersion(path, events), ...(lost === 0 ? [] : [notUnderstood(path, lost)])];
      const last = z.object({ time }).safeParse(jsonOrNothing(lastLine));
      const state = events.reduce<RunState | undefined>(stateAfter, undefined);
      if (isCut && state?.kind !== 'begun') notes.push(`${path}: its last line is cut off.`);
      return { ...gathered(events), state, lastTime: last.data?.time, notes };
    },
  };
}

/** Reads the events; `also` hears each line. @throws {DataError} where they cannot be read, but for those that are not there */
export async function readSessions(path: string, also?: (line: string) => void): Promise<RunSessions> {
  const sessions = gatherSessions(path);
  const reader = createEventReader(path);
  try {
    for await (const lines of reader.more()) {
      for (const line of lines) {
        sessions.hear(line);
        also?.(line);
      }
    }
  } catch (cause) {
    const found =
      errorCode(cause) === 'EISDIR' ? 'a directory' : `one that cannot be read: ${systemReason(cause)}`;
    throw new DataError({ file: path, expected: 'the events of a run (metrics.jsonl)', found }, { cause });
  }
  return sessions.tell(reader.isCut());
}

function gathered(events: readonly SessionEvent[]) {
  const sessions: Session[] = [];
  const tests = new Map<number, RoundTest>();
  let start: RunSessions['start'];
  let roundSeconds: number[] = [];
  for (const each of events) {
    if (each.event === 'start') [start, roundSeconds] = [each, []];
    else if (each.event === 'evaluation') {
      const { event: _, ...test } = each;
      tests.set(each.round, test);
    } else if (each.event === 'round') {
      const { train, aggregate, evaluate } = each.seconds;
      roundSeconds.push(train + aggregate + evaluate);
    } else if (each.event === 'end') sessions.push({ time: each.time, seconds: each.seconds });
  }
  return {
    ...{ sessions, start, roundSeconds },
    tests: [...tests.values()].sort((a, b) => a.round - b.round),
  };
}

function stateAfter(state: RunState | undefined, event: SessionEvent): RunState | undefined {
  switch (event.event) {
    case 'start':
      return { kind: 'begun', time: event.time };
    case 'end':
      return { kind: 'finished', time: event.time };
    case 'failure':
      return { kind: 'failed', time: event.time, failure: event };
    default:
      return state;
  }
}

function notesOfVersion(path: string, events: readonly SessionEvent[]): string[] {
  const versions = events.map((each) => (each.event === 'start' ? (each.schemaVersion ?? 0) : 0));
  const newest = Math.max(0, ...versions);
  if (newest <= EVENTS_VERSION) return [];
  return [
    `${path}: a later fedbatch wrote it (events of version ${newest}, and ${EVENTS_VERSION} is known here); what is understood is shown.`,
  ];
}

const notUnderstood = (path: string, lines: number): string =>
  `${path}: ${lines === 1 ? 'a line is' : `${lines} lines are`} not understood and passed over.`;

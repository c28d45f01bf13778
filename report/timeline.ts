/** When which stage and which client was at work: spans of time, from the events of the last session of a run. */
import { z } from 'zod';
import { jsonOrNothing } from '../lib/formats/files/json-document.js';

/** What was done, from when to when. */
export interface Span {
  /** The row that it belongs to: a stage, or a client's training. */
  readonly row: string;
  readonly stage: Stage;
  readonly round?: number | undefined;
  /** Seconds since the session began. */
  readonly from: number;
  readonly to: number;
}

/** A stage that takes time. */
type Stage = 'split' | 'train' | 'aggregate' | 'evaluate';

const work = { time: z.string(), seconds: z.number(), round: z.number().optional() };

/** The events that say how long something took: each is written at its end. */
const workSchema = z.discriminatedUnion('event', [
  z.object({ ...work, event: z.literal('split') }),
  z.object({ ...work, event: z.literal('update'), client: z.number() }),
  z.object({ ...work, event: z.literal('updates') }),
  z.object({ ...work, event: z.literal('aggregate') }),
  z.object({ ...work, event: z.literal('evaluation') }),
]);

const STAGES = {
  split: 'split',
  update: 'train',
  updates: 'train',
  aggregate: 'aggregate',
  evaluation: 'evaluate',
} as const;

/** The last session of a run, as its events tell of it. */
export interface Timeline {
  readonly spans: readonly Span[];
  /** When the last event was written. */
  readonly lastEvent?: string | undefined;
  /** Why no further round followed, once it is over: `rounds`, `target` or `patience`. */
  readonly stopped?: string | undefined;
}

const eventSchema = z.object({ event: z.string(), time: z.string(), stopped: z.string().optional() });

/** Gathers a timeline from the lines of a run's events. */
export interface TimelineSoFar {
  /** What is not understood, since a later version wrote it, is passed over. */
  hear(line: string): void;
  tell(): Timeline;
}

/** Begins a timeline. */
export function gatherTimeline(): TimelineSoFar {
  let [spans, begun, lastEvent, stopped]: [Span[], ...(string | undefined)[]] = [[]];
  return {
    hear(line) {
      const event = jsonOrNothing(line);
      const { success, data } = eventSchema.safeParse(event);
      if (!success) return;
      if (data.event === 'start') [spans, begun, stopped] = [[], data.time, undefined];
      lastEvent = data.time;
      stopped = data.stopped ?? stopped;
      const span = begun === undefined ? undefined : spanOf(event, begun);
      if (span !== undefined) spans.push(span);
    },
    tell: () => ({ spans, lastEvent, stopped }),
  };
}

/** A span of an event in a session that began at `start`; undefined for an event of another kind. */
function spanOf(event: unknown, start: string): Span | undefined {
  const { success, data } = workSchema.safeParse(event);
  if (!success) return undefined;
  const to = (Date.parse(data.time) - Date.parse(start)) / 1000;
  const stage = STAGES[data.event];
  const row = data.event === 'update' ? `client ${data.client}` : stage;
  return { row, stage, round: data.round, from: Math.max(0, to - data.seconds), to };
}

/** Tells an MLflow server of a run as it goes on; where the server was away, what it missed is told when it is back. */
import { existsSync } from 'node:fs';
import { ExitCode, InterruptedError } from '../../lib/core/errors.js';
import type { TimedEvent } from '../../lib/formats/metrics-event.js';
import { type RunRecord, readRoundRecord, readRunRecord } from '../../lib/formats/run-record.js';
import { recordedEvents } from '../../lib/formats/runs/event-lines.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import type { RunGroup, RunWatcher } from '../watcher.js';
import type { MlflowPlace } from './address.js';
import { groupIdentity } from './group.js';
import {
  type MetricPoint,
  type NamedText,
  parametersOf,
  pointsOf,
  simulatedPoints,
  tagOf,
} from './points.js';
import { MlflowError, mlflowServer } from './server.js';
import { endWithLast, type MlflowStatus, type TrackedRun, trackRun } from './tracked-run.js';

/** Of more clients only the run as a whole is told: each would be several charts. */
const MOST_CLIENTS = 100;

/** Events that come faster are told together. */
const GATHER_MS = 1_000;

/** After a failure, how long the server is left alone: the first time, and at most. */
const REST_MS = { first: 2_000, most: 60_000 } as const;

/** How long the end of a run waits for the server, by how it was so far: one that answers may take large files. */
const END_MS = { answers: 60_000, unknown: 3_000, silent: 1_000 } as const;

/** What to tell of, and where. */
export interface MlflowWatch extends MlflowPlace {
  readonly paths: VolumePaths;
  readonly partOf?: RunGroup | undefined;
  readonly reporter: Pick<Reporter, 'warn'>;
}

/** Watches a run for an MLflow server. */
export function mlflowWatcher({ address, experiment, paths, partOf, reporter }: MlflowWatch): RunWatcher {
  const over = new AbortController();
  const server = mlflowServer(address, { signal: over.signal, onAnswer: () => become('answers') });
  let run: TrackedRun | undefined;
  let waiting: TimedEvent[] = [];
  let ending: { readonly status: MlflowStatus; readonly at?: number } | undefined;
  let hasHeard = false;
  let hasWarned = false;
  let state: keyof typeof END_MS = 'unknown';
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  let rest = { ms: 0, until: 0 };
  let toldAt = 0;

  /** How the server is has changed, and with it how long the end of the run waits. */
  function become(now: typeof state): void {
    if (state === now && timer !== undefined) return;
    state = now;
    if (!isOver) return;
    clearTimeout(timer);
    const why = new InterruptedError(
      `it did not answer within ${END_MS[now] / 1000} s of the end of the run`,
    );
    // Where the watcher has failed there is nothing left to end.
    timer = setTimeout(() => over.abort(why), END_MS[now]).unref();
  }

  /** Makes the run known, and tells all that is on record of it. */
  async function begin(): Promise<TrackedRun> {
    const record = await readRunRecord(paths.run);
    const tracked = await trackRun(server, {
      ...{ experiment, id: record.id, createdAt: record.createdAt, name: nameOf(record, partOf) },
      tags: [{ key: 'mlflow.source.name', value: 'fedbatch' }],
      parent: partOf && groupIdentity(partOf, experiment),
    });
    await tellFacts(tracked, record, partOf);
    if (ending?.status === 'RUNNING') await tracked.set('RUNNING');
    for await (const events of recordedEvents(paths.metrics)) await tellEvents(tracked, record, events);
    return tracked;
  }

  async function tellEvents(
    tracked: TrackedRun,
    record: RunRecord,
    events: readonly TimedEvent[],
  ): Promise<void> {
    const metrics: MetricPoint[] = [];
    for (const event of events) metrics.push(...(await pointsFor(event, record)));
    await tracked.tell({ metrics, tags: events.flatMap(tagsOfEvent) });
  }

  async function pointsFor(event: TimedEvent, { settings }: RunRecord): Promise<readonly MetricPoint[]> {
    const points = pointsOf(event);
    if (settings.federation.clients > MOST_CLIENTS) return points.filter(({ key }) => !isOfClient(key));
    if (event.event !== 'updates') return points;
    const record = await readRoundRecord(paths.round(event.round).record).catch(() => undefined);
    return [...points, ...simulatedPoints(event, record?.reported ?? [])];
  }

  /** Tells what waits. What a server that is away misses stands in the run's record, and is told from there. */
  async function tell(then?: (tracked: TrackedRun) => Promise<void>): Promise<void> {
    const events = waiting;
    waiting = [];
    try {
      if (run === undefined) run = await begin();
      else if (events.length > 0) {
        const record = await readRunRecord(paths.run);
        // The split has found out what the data are.
        if (events.some(({ event }) => event === 'split')) await tellFacts(run, record, partOf);
        await tellEvents(run, record, events);
      }
      await then?.(run);
      rest = { ms: 0, until: 0 };
    } catch (error) {
      if (!(error instanceof MlflowError)) throw error;
      if (!error.isPassing) throw new Error(`${address.url}: ${error.message}.`, { cause: error });
      run = undefined;
      become('silent');
      const ms = rest.ms === 0 ? REST_MS.first : Math.min(rest.ms * 2, REST_MS.most);
      rest = { ms, until: Date.now() + ms };
      if (!hasWarned) {
        reporter.warn(
          `MLflow at ${address.url} cannot be told of the run: ${error.message}. The run goes on; what MLflow misses is ` +
            'told once it answers, at the latest when the same command is run again.',
        );
      }
      hasWarned = true;
    }
    toldAt = Date.now();
  }

  return {
    name: 'MLflow',
    endMs: END_MS.answers,
    async event(event) {
      hasHeard = true;
      ending = endingOf(event) ?? ending;
      // Without a server they would only take memory.
      if (run !== undefined) waiting.push(event);
      const now = Date.now();
      if (now < rest.until || (now - toldAt < GATHER_MS && !MILESTONES.includes(event.event))) return;
      await tell();
    },
    ending() {
      isOver = true;
      become(state);
    },
    async close() {
      try {
        if (!hasHeard) return;
        await tell(async (tracked) => {
          if (ending === undefined || ending.status === 'RUNNING') return;
          await tracked.set(ending.status, ending.at);
          if (partOf?.runs !== undefined)
            await endWithLast(server, groupIdentity(partOf, experiment), partOf.runs);
          await keepFiles(tracked, ending.status);
        });
      } finally {
        clearTimeout(timer);
      }
    },
  };

  /** The files that a run ends with; a server that does not take them has the run all the same. */
  async function keepFiles(tracked: TrackedRun, status: MlflowStatus): Promise<void> {
    const files: Partial<Record<MlflowStatus, readonly string[]>> = {
      FINISHED: [paths.report, paths.accuracy, paths.aggregatedModel],
      FAILED: [paths.report],
    };
    try {
      for (const file of files[status] ?? []) if (existsSync(file)) await tracked.keep(file);
    } catch (error) {
      if (!(error instanceof MlflowError) || error.isPassing) throw error;
      reporter.warn(`MLflow at ${address.url} has the run without its files: ${error.message}.`);
    }
  }
}

/** Told at once, whatever was told before. */
const MILESTONES: readonly string[] = ['start', 'round', 'end', 'failure'];

const isOfClient = (key: string) => key.startsWith('client-');

/** How the run stands after an event; undefined where that changes nothing. */
function endingOf(event: TimedEvent): { readonly status: MlflowStatus; readonly at?: number } | undefined {
  const at = Date.parse(event.time);
  if (event.event === 'start') return { status: 'RUNNING' };
  if (event.event === 'end') return { status: 'FINISHED', at };
  if (event.event !== 'failure') return undefined;
  return { status: event.exitCode === ExitCode.interrupted ? 'KILLED' : 'FAILED', at };
}

/** What the server calls the run: those of several seeds by their seeds. */
const nameOf = ({ id, name = id, settings }: RunRecord, partOf: RunGroup | undefined): string =>
  partOf?.kind === 'seeds' ? `seed ${settings.seed}` : name;

/** Tells settings, labels and versions. */
async function tellFacts(tracked: TrackedRun, record: RunRecord, partOf?: RunGroup): Promise<void> {
  const { tags = [], versions } = record;
  await tracked.tell({
    params: parametersOf(record),
    tags: [
      tagOf('mlflow.runName', nameOf(record, partOf)),
      ...(tags.length === 0 ? [] : [tagOf('fedbatch.tags', tags.join(', '))]),
      tagOf('fedbatch.version', versions.fedbatch),
    ],
  });
}

function tagsOfEvent(event: TimedEvent): readonly NamedText[] {
  if (event.event === 'update' && event.engine !== undefined) return [tagOf('fedbatch.engine', event.engine)];
  if (event.event === 'failure') return [tagOf('fedbatch.failure', event.reason)];
  if (event.event !== 'end') return [];
  return [
    tagOf('fedbatch.failure', ''),
    tagOf('fedbatch.stopped', event.stopped),
    tagOf('fedbatch.model.sha256', event.sha256),
  ];
}

/** Who watches a run: hears every event that its record gets, and changes nothing about the run. */
import type { TimedEvent } from '../lib/formats/metrics-event.js';
import type { Reporter } from '../lib/observability/events.js';

/** Watches a run. Whatever it throws is told once as a warning, and it hears no more: it never stops the run. */
export interface RunWatcher {
  /** What warnings call it, e.g. `MLflow`. */
  readonly name: string;
  /** Hears the events one after the other, in the order of the record: the next one once it is done with this one. */
  event(event: TimedEvent): Promise<void> | void;
  /** Called as soon as the run is over, or stopped, also where earlier events are not heard yet: no time for much more. */
  ending?(): void;
  /** Called when the run is over, or stopped, after the last event. */
  close?(): Promise<void> | void;
  /** Milliseconds that the end of the run waits for it, where that is not 10 s. */
  readonly endMs?: number;
}

/** Those who watch a run. */
export interface Watchers {
  /** Passes an event on; the run does not wait. */
  tell(event: TimedEvent): void;
  /** Waits, for a while, until all have heard everything. */
  close(): Promise<void>;
}

/** How long a run that is over waits for those who watched it. */
const END_MS = 10_000;

/** Runs that belong together: a sweep, or a run with several seeds. */
export interface RunGroup {
  readonly kind: 'sweep' | 'seeds';
  readonly id: string;
  /** What people call it. */
  readonly name?: string | undefined;
  /** When it began (ISO 8601). */
  readonly createdAt: string;
  /** How many runs it has, where the last one to end has to tell that all are over: nobody else is there to do so. */
  readonly runs?: number | undefined;
}

/** How a group of runs ended. */
export interface GroupEnding {
  readonly state: 'finished' | 'failed' | 'interrupted';
  /** What its runs came to, by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** The same in words. */
  readonly facts: Readonly<Record<string, string>>;
  /** The files that tell of all of it. */
  readonly files: readonly string[];
}

/** Nobody watches. */
export const NOBODY: Watchers = { tell() {}, async close() {} };

/** Lets each of them watch at its own pace. */
export function createWatchers(watchers: readonly RunWatcher[], reporter: Pick<Reporter, 'warn'>): Watchers {
  const audience = watchers.map((watcher) => {
    let hasFailed = false;
    let last = Promise.resolve();
    /** What is to be done once all before it is done. */
    const then = (step: () => Promise<void> | void) => {
      last = last.then(async () => {
        if (hasFailed) return;
        try {
          await step();
        } catch (error) {
          hasFailed = true;
          const { message } = error instanceof Error ? error : new Error(String(error));
          reporter.warn(`${watcher.name} watches no longer, and the run goes on: ${message}`);
        }
      });
      return last;
    };
    return { watcher, then };
  });
  return {
    tell: (event) => {
      for (const { watcher, then } of audience) void then(() => watcher.event(event));
    },
    async close() {
      await Promise.all(
        audience.map(async ({ watcher, then }) => {
          const { endMs = END_MS } = watcher;
          watcher.ending?.();
          const isDone = await withinTime(
            then(() => watcher.close?.()),
            endMs,
          );
          if (isDone) return;
          reporter.warn(`${watcher.name} has not heard everything within ${endMs / 1000} s, and is left`);
        }),
      );
    },
  };
}

async function withinTime(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  return await Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer));
}

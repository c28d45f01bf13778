/** Prometheus watches a run: it asks a port, or a Pushgateway that the run tells. */

import { recordedEvents } from '../../lib/formats/runs/event-lines.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { openOutlets } from '../../lib/prometheus/outlets.js';
import type { PrometheusAsked } from '../../lib/settings/parts/watching.js';
import type { RunWatcher } from '../watcher.js';
import { createRunMetrics, type RunMetrics } from './run-metrics.js';

/** Opens it. @throws {UsageError} when the port is taken or the address is not this machine's */
export async function watchRun(
  asked: PrometheusAsked,
  { paths, reporter }: { readonly paths: VolumePaths; readonly reporter: Reporter },
): Promise<RunWatcher> {
  const run = createRunMetrics();
  await hearAgain(run, paths.metrics);
  const group = () => {
    const id = run.run();
    // No stage: it would take the place of the label of that name.
    return id === undefined ? undefined : { run: id };
  };
  const outlets = await openOutlets(asked, { metrics: run.metrics, group, reporter });
  return {
    name: 'Prometheus',
    event: (event) => run.event(event),
    close: () => outlets.close(),
  };
}

/**
 * Counters go on where those of the session before ended, and so do those of a cluster's recorder, each of whose steps is a
 * process of its own.
 */
async function hearAgain(run: RunMetrics, file: string): Promise<void> {
  for await (const events of recordedEvents(file)) for (const event of events) run.event(event);
}

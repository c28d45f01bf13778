/** Several runs that belong together, as MLflow shows them: below a run of their own, which ends with what they came to. */
import { existsSync } from 'node:fs';
import type { Reporter } from '../../lib/observability/events.js';
import type { GroupEnding, RunGroup } from '../watcher.js';
import type { MlflowPlace } from './address.js';
import { figurePoints, tagOf } from './points.js';
import { MlflowError, mlflowServer } from './server.js';
import { type MlflowStatus, type RunIdentity, trackRun } from './tracked-run.js';

const STATUS: Readonly<Record<GroupEnding['state'], MlflowStatus>> = {
  finished: 'FINISHED',
  failed: 'FAILED',
  interrupted: 'KILLED',
};

/** The server is asked a few times for little; it must not keep a command from its end. */
const END_MS = 10_000;

/** The run above the runs of a group. */
export function groupIdentity({ kind, id, name = id, createdAt }: RunGroup, experiment: string): RunIdentity {
  const tags = [
    { key: 'mlflow.source.name', value: 'fedbatch' },
    { key: 'fedbatch.kind', value: kind },
  ];
  return { experiment, id, name, createdAt, tags };
}

/** Tells how the runs of a group ended; a server that does not answer is told of once, as a warning. */
export async function endGroup(
  { address, experiment }: MlflowPlace,
  {
    group,
    ending,
    reporter,
  }: { readonly group: RunGroup; readonly ending: GroupEnding; readonly reporter: Pick<Reporter, 'warn'> },
): Promise<void> {
  const server = mlflowServer(address, { signal: AbortSignal.timeout(END_MS) });
  const endedAt = Date.now();
  try {
    const tracked = await trackRun(server, groupIdentity(group, experiment));
    await tracked.tell({
      metrics: figurePoints(ending.figures, endedAt),
      tags: Object.entries(ending.facts).map(([key, value]) => tagOf(`fedbatch.${key}`, value)),
    });
    await tracked.set(STATUS[ending.state], endedAt);
    for (const file of ending.files) if (existsSync(file)) await tracked.keep(file);
  } catch (error) {
    if (!(error instanceof MlflowError)) throw error;
    reporter.warn(`MLflow at ${address.url} is not told how the ${group.kind} ended: ${error.message}.`);
  }
}

/** `fedbatch k8s each`: a command of the user's own on all clients, as the pods of one Job. */
import { sha256 } from '../../lib/formats/files/read-file.js';
import type { EachResult } from '../../lib/formats/stage-results.js';
import { type EachTask, type EachTolerance, onClients } from '../../pipeline/rounds/on-clients.js';
import type { StageContext } from '../../pipeline/rounds/target.js';
import { type Destination, findCluster } from '../connection/connect.js';
import type { Values } from '../manifests/placeholders.js';
import { clusterApi } from './cluster-api.js';
import { deleteRun } from './ensure-job.js';
import { jobTarget } from './job-target.js';
import { ensureClaim, requirePermissions } from './prerequisites.js';
import { eachJobs } from './stage-jobs.js';
import { interruptedRun } from './wait-for-job.js';

/** What to run, and where. */
export interface KubeEachOptions {
  readonly task: EachTask;
  readonly tolerance: Omit<EachTolerance, 'startSeconds'>;
  readonly destination: Destination;
  readonly values: Values;
  readonly queue?: string | undefined;
  readonly scheduleTimeoutMs: number;
  /** Show the logs of all pods. */
  readonly isVerbose: boolean;
  /** Delete the Job once it is done. */
  readonly cleansUp: boolean;
}

/** Runs it. @throws {FedbatchError} as `onClients` does */
export async function eachOnCluster(options: KubeEachOptions, told: StageContext): Promise<EachResult> {
  const { task, tolerance, values, queue, scheduleTimeoutMs, isVerbose } = options;
  const api = await clusterApi(await findCluster(options.destination), told);
  await requirePermissions(api, { cleansUp: options.cleansUp });
  const run = `command-${sha256(JSON.stringify(task)).slice(0, 8)}`;
  const context = { ...told, api, scheduleTimeoutMs, isVerbose };
  await ensureClaim(values, context);
  told.reporter.info(`${run}: ${task.command.join(' ')} as ${task.size} clients`);
  const jobs = eachJobs({ run, id: run, namespace: api.namespace, values, queue }, task);
  try {
    const result = await onClients(jobTarget(jobs, context), task, { ...tolerance, ...told });
    if (options.cleansUp) await deleteRun(run, context);
    return result;
  } catch (error) {
    if (!told.signal.aborted) throw error;
    throw interruptedRun(run, error);
  }
}

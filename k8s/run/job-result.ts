/** The result that a program left in its pod's status, else the last JSON line of its log. */
import type { V1Pod } from '@kubernetes/client-node';
import type { z } from 'zod';
import { StageError } from '../../lib/core/errors.js';
import { nameOf } from './job-status.js';
import { leftResult, parseObject, passedOn, podEnding } from './pod-status.js';
import type { EndedJob, WaitContext } from './wait-for-job.js';

/** Lines of a log that may follow its result. */
const LINES = 20;

/** Which result, and what it looks like. */
interface ResultOptions<T> {
  readonly container: string;
  readonly schema: z.ZodType<T>;
  /** Whether its details are worth a look into its log, where there was no room for them. */
  readonly wantsDetails?: boolean;
}

/** A pod's result. @throws {StageError} when it left none that is understood */
export async function readResult<T>(
  pod: V1Pod,
  { container, schema, wantsDetails = false }: ResultOptions<T>,
  { api }: Pick<WaitContext, 'api'>,
): Promise<T> {
  const told = leftResult(pod, container);
  const left = schema.safeParse(told);
  if (left.success && !(wantsDetails && told?.incomplete === true)) return left.data;
  const log = await api.readLog(nameOf(pod), container, LINES).catch((error: unknown) => {
    if (left.success) return '';
    throw error;
  });
  const lines = log.split('\n').map(parseObject);
  const last = lines.filter((line) => line !== undefined && !('level' in line)).at(-1);
  const parsed = schema.safeParse(last);
  if (parsed.success) return parsed.data;
  if (left.success) return left.data;
  throw new StageError(
    nameOf(pod),
    `the container ${container} ended well, but its result was not understood: "${JSON.stringify(last ?? '').slice(0, 200)}".`,
    { cause: parsed.error },
  );
}

/** The pod of a Job with one. @throws {StageError} with the pod's last words when the Job has failed */
export function podOfJob({ state, pods }: EndedJob, title: string): V1Pod {
  const good = pods.find(({ status }) => status?.phase === 'Succeeded');
  if (state.kind === 'complete' && good !== undefined) return good;
  const failed = pods.filter(({ status }) => status?.phase === 'Failed').at(-1);
  const ending = failed && podEnding(failed);
  const stage = ending?.container === undefined ? title : `${title} (${ending.container})`;
  const why =
    ending?.reason ?? (state.kind === 'failed' ? `${state.reason}: ${state.message}` : 'its pod is gone');
  throw new StageError(stage, `${why}.`, passedOn(ending?.exitCode));
}

/** Whether the pods are still there that the results of a Job are read from. */
export function hasResults({ job, pods }: EndedJob): boolean {
  const good = pods.filter(({ status }) => status?.phase === 'Succeeded').length;
  return good >= (job.status?.succeeded ?? 0);
}

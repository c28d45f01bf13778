/** The target of a cluster: commands become a Job, or that of an earlier attempt is taken; what its pods left is how they ended. */
import type { V1Pod } from '@kubernetes/client-node';
import type { z } from 'zod';
import { StageError } from '../../lib/core/errors.js';
import { inTurnResultSchema, type ToldInTurn } from '../../lib/formats/stage-results.js';
import { ofPod, type StageCommand } from '../../pipeline/commands/stage-commands.js';
import {
  type CommandEnding,
  type ExecuteOptions,
  type LostCommand,
  stageName,
  type Target,
} from '../../pipeline/rounds/target.js';
import { ensureJob, type FoundJob, removeJob } from './ensure-job.js';
import { hasResults, podOfJob, readResult } from './job-result.js';
import { containersOf, indexesIn, indexOf, jobSeconds } from './job-status.js';
import { NOT_STARTED_ANNOTATION, OTHER_INDEXES } from './names.js';
import { parseObject, passedOn, podEnding } from './pod-status.js';
import type { JobDetails, PlannedJob, StageJobs } from './stage-jobs.js';
import { type EndedJob, type WaitContext, type WaitedJob, waitForJob } from './wait-for-job.js';

/** How commands of one stage ended. */
export interface JobExecution<T> extends EndedJob {
  readonly endings: readonly CommandEnding<T>[];
  /** Of the Job, also where an earlier attempt made it. */
  readonly seconds: number;
  readonly found: FoundJob;
}

/** The target. */
export interface JobTarget extends Target {
  /** As `execute`; tells of the Job too, and takes what its recorder writes. */
  run<T>(
    commands: readonly StageCommand[],
    options: ExecuteOptions<T> & JobDetails,
  ): Promise<JobExecution<T>>;
}

/** Runs a Job to its end, or takes that of an earlier attempt; one whose pods are gone is done again. */
export async function runJobToEnd(
  planned: PlannedJob,
  waited: Omit<WaitedJob, 'job'>,
  context: WaitContext,
): Promise<EndedJob & { readonly found: FoundJob }> {
  for (;;) {
    const { job, found } = await ensureJob(planned, context);
    const ended = await waitForJob({ ...waited, job, quorum: planned.quorum }, context);
    if (found === undefined || hasResults(ended)) return { ...ended, found };
    await removeJob(ended.job, context);
  }
}

/** A target for the Jobs of a run. */
export function jobTarget(jobs: Pick<StageJobs, 'of'>, cluster: WaitContext): JobTarget {
  async function run<T>(
    commands: readonly StageCommand[],
    options: ExecuteOptions<T> & JobDetails,
  ): Promise<JobExecution<T>> {
    const { reporter, signal, schema, onEnding } = options;
    const context = { ...cluster, reporter, signal };
    const planned = jobs.of(commands, options);
    const { container = '', clientsPerPod = 1 } = planned;
    const ended = await runJobToEnd(planned, waitedFor(commands, clientsPerPod), context);
    const endings = await endingsOf(ended, { commands, schema, container, clientsPerPod }, context);
    // What ended the Job is told before whom it kept from starting, or stopped.
    const isKept = (ending: CommandEnding<unknown>) =>
      'reason' in ending && [NEVER_STARTED, STOPPED].includes(ending.reason);
    const told = [...endings.filter((each) => !isKept(each)), ...endings.filter(isKept)];
    for (const ending of told) await onEnding?.(ending);
    return { ...ended, endings, seconds: jobSeconds(ended.job) };
  }
  return {
    run,
    execute: async (commands, options) => (await run(commands, options)).endings,
    close: async () => undefined,
  };
}

function waitedFor(commands: readonly StageCommand[], clientsPerPod = 1): Omit<WaitedJob, 'job'> {
  const [{ stage, client, round, rounds } = { stage: 'train' as const }] = commands;
  const at = (index: number) =>
    ofPod(commands, index, clientsPerPod).flatMap((command) => command.client ?? []);
  const clients = client === undefined ? {} : { clients: { stage, at } };
  if (round === undefined) return { title: stage, ...clients };
  const part = { round, ...(rounds === undefined ? {} : { rounds }) };
  return { title: `${stage} round ${round}`, part, ...clients };
}

/** Why a client has no result where another one ended the Job. */
const NEVER_STARTED = 'not started: the Job had failed before';
const STOPPED = 'stopped: the Job had failed before';
/** Why it has none where nobody has seen its pod end, which the Job counts. */
const LOST = 'its result is lost: its pod was deleted before it was read';
const FAILED_UNSEEN = 'it failed, and its pod was deleted before the reason was read';

interface EndingOptions<T> {
  readonly commands: readonly StageCommand[];
  readonly schema: z.ZodType<T>;
  readonly container: string;
  readonly clientsPerPod: number;
}

async function endingsOf<T>(
  ended: EndedJob,
  { commands, schema, container, clientsPerPod }: EndingOptions<T>,
  context: WaitContext,
): Promise<readonly CommandEnding<T>[]> {
  const [first] = commands;
  if (first !== undefined && first.client === undefined) {
    const pod = podOfJob(ended, waitedFor(commands).title);
    return [
      { command: first, result: await readResult(pod, { container, schema, wantsDetails: true }, context) },
    ];
  }
  const endings: CommandEnding<T>[] = [];
  for (let index = 0; index * clientsPerPod < commands.length; index++) {
    const group = ofPod(commands, index, clientsPerPod);
    const own = ended.pods.filter((pod) => indexOf(pod) === index);
    const good = own.find(({ status }) => status?.phase === 'Succeeded');
    if (good === undefined)
      endings.push(...group.map((command) => lostCommand(ended, { command, own, index })));
    else if (clientsPerPod > 1) {
      const { clients } = await readResult(good, { container, schema: inTurnResultSchema(schema) }, context);
      const told = new Map(clients.map((each) => [each.client, each]));
      endings.push(...group.map((command) => endingInTurn(command, told.get(command.client ?? -1))));
    } else
      for (const command of group)
        endings.push({ command, result: await readResult(good, { container, schema }, context) });
  }
  return endings;
}

/** How a client ended that was not alone in its pod, as the pod tells it. */
function endingInTurn<T>(command: StageCommand, told: ToldInTurn<T> | undefined): CommandEnding<T> {
  if (told !== undefined && 'result' in told) return { command, result: told.result };
  const { reason = LOST, exitCode } = told ?? {};
  const facts = { client: command.client, ...passedOn(exitCode) };
  return { command, reason, error: new StageError(stageName(command), `${reason}.`, facts) };
}

/** Why an index of a Job has no result. */
function lostCommand(
  { state, job: { metadata, spec, status: counted }, gone }: EndedJob,
  {
    command,
    own,
    index,
  }: { readonly command: StageCommand; readonly own: readonly V1Pod[]; readonly index: number },
): LostCommand {
  const notStarted = parseObject(metadata?.annotations?.[NOT_STARTED_ANNOTATION] ?? '') ?? {};
  if (notStarted[index] !== undefined) return { command, reason: String(notStarted[index]) };
  const others = gone.filter((pod) => indexOf(pod) === index);
  // A pod that the end of its Job has stopped is none that failed.
  const hasFailed = indexesIn(counted?.failedIndexes).has(index);
  const ends = [...(hasFailed ? others : []), ...own].filter(({ status }) => status?.phase === 'Failed');
  const failed = ends.at(-1);
  if (failed !== undefined || hasFailed) {
    const { reason, exitCode } = failed ? podEnding(failed) : { reason: FAILED_UNSEEN };
    const facts = { client: command.client, ...passedOn(exitCode) };
    return { command, reason, error: new StageError(stageName(command), reason, facts) };
  }
  if (indexesIn(counted?.completedIndexes).has(index)) return { command, reason: LOST };
  if (notStarted[OTHER_INDEXES] !== undefined) return { command, reason: String(notStarted[OTHER_INDEXES]) };
  if (state.kind === 'failed' && state.reason === 'DeadlineExceeded') {
    return { command, reason: `late: not done within ${spec?.activeDeadlineSeconds} s` };
  }
  const hasBegun = others.flatMap(containersOf).some(({ state: is }) => is?.running ?? is?.terminated);
  return { command, reason: hasBegun ? STOPPED : NEVER_STARTED };
}

/** The runner of a cluster: each step of a round is a Job; what the volume or an earlier Job holds is not done again. */

import type { V1Job } from '@kubernetes/client-node';
import type { z } from 'zod';
import { ExitCode, StageError } from '../../lib/core/errors.js';
import { newRoundRecord } from '../../lib/formats/run-record.js';
import { type FinishedRound, type Opened, recordedEndSchema } from '../../lib/formats/run-results.js';
import {
  type AggregateResult,
  aggregateResultSchema,
  evaluateResultSchema,
  initResultSchema,
  trainResultSchema,
} from '../../lib/formats/stage-results.js';
import { type VolumePaths, volumePaths } from '../../lib/formats/volume.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { modelTitle } from '../../lib/settings/parts/data.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  roundLearningRate,
  type StageCommand,
  trainCommand,
} from '../../pipeline/commands/stage-commands.js';
import { hashOfSelected, rejectedUpdates, withLoss, withoutMissing } from '../../pipeline/rounds/outcomes.js';
import { failureOf, missedRequirement, type Required } from '../../pipeline/rounds/run-failure.js';
import type { Runner, Tolerance } from '../../pipeline/rounds/runner.js';
import { type RunResult, resultFacts } from '../../pipeline/rounds/summary.js';
import {
  count,
  describeAggregate,
  describeEvaluation,
  tell,
  tellSkipped,
} from '../../pipeline/rounds/telling.js';
import { type FoundJob, removeJob } from './ensure-job.js';
import { podOfJob, readResult } from './job-result.js';
import { jobSeconds } from './job-status.js';
import { jobTarget, runJobToEnd } from './job-target.js';
import { type JobPlan, RECORD_FILE, recorderName, type StageJobs } from './stage-jobs.js';
import { settleTraining, type Trained } from './train-outcome.js';
import type { EndedJob, WaitContext } from './wait-for-job.js';

/** What a runner works with. */
export interface KubeRun extends WaitContext {
  readonly plan: JobPlan;
  readonly jobs: StageJobs;
  readonly tolerance: Tolerance;
  readonly opened: Opened;
  readonly required: Required;
}

/** A round while it runs. */
interface OpenRound extends Trained {
  readonly start: {
    readonly round: number;
    readonly parent: string;
    readonly selected: readonly number[];
    readonly quorum?: number;
  };
  readonly trainSeconds: number;
  /** The Job that trained the clients; absent where the round was over before. */
  readonly trainJob?: V1Job;
  readonly aggregated?: AggregateResult;
}

/** The runner of a cluster, and what it does once the rounds are over. */
interface KubeRunner extends Runner {
  /** Puts the results in their places; returns the last round's record, of its first clients, and each client's test. */
  conclude(
    result: Omit<RunResult, 'lastRound' | 'perClient'>,
  ): Promise<Pick<RunResult, 'lastRound' | 'perClient'>>;
}

/** Letters of facts at most, of which a ConfigMap holds 1 MiB; where there are more, epochs and norms are left out. */
const MAX_FACTS = 700_000;

const hasRoom = (facts: object) => JSON.stringify(facts).length < MAX_FACTS;

/** A runner for a run whose volume is open and whose data are split. */
export function createKubeRunner(run: KubeRun): KubeRunner {
  const { plan, jobs, opened } = run;
  const { settings } = plan;
  const paths: VolumePaths = volumePaths(plan.directory);
  let current: OpenRound | undefined;
  const open = (): OpenRound => {
    if (current === undefined) throw new Error('train comes first in a round');
    return current;
  };
  /** What the volume holds of a round, where that started as this one does. */
  const finished = ({ round, parent, selected }: OpenRound['start']): FinishedRound | undefined => {
    const known = opened.rounds[round - 1];
    return known?.parent === parent && known.selected === hashOfSelected(selected) ? known : undefined;
  };
  const source = { settings, paths, threads: plan.threads };
  const target = jobTarget(jobs, run);
  /** Runs the one command of a stage; its place in messages and records is the stage's. */
  const runOne = async <T>(
    command: StageCommand,
    { schema, facts }: { readonly schema: z.ZodType<T>; readonly facts?: object },
  ) => {
    const { reporter, signal } = run;
    const execution = await target.run([command], { reporter, signal, schema, facts });
    const [ending] = execution.endings;
    if (ending === undefined || !('result' in ending)) throw new Error(`no result of ${command.stage}`);
    return { ...execution, result: ending.result };
  };
  return {
    async init() {
      const file = paths.round(1).globalModel;
      const what = `${modelTitle(settings.model)} model`;
      if (opened.initial !== undefined) {
        tellSkipped(run, { stage: 'init' }, what);
        return { file, sha256: opened.initial };
      }
      const { result, ...done } = await runOne(initCommand(source), { schema: initResultSchema });
      tellDone(run, { stage: 'init' }, done, what);
      return { file, sha256: result.sha256 };
    },
    async train(task) {
      const { round, global, clients, quorum } = task;
      const start = {
        round,
        parent: global.sha256,
        selected: clients,
        ...(quorum === undefined ? {} : { quorum }),
      };
      const known = finished(start);
      if (known !== undefined) {
        tellSkipped(run, { stage: 'train', round }, count(clients.length, 'client'));
        current = { start, reported: [], missing: known.missing, trainSeconds: 0 };
        return current;
      }
      const { reporter, signal, tolerance } = run;
      const commands = clients.map((client) => trainCommand(source, task, client));
      const done = await target.run(commands, {
        ...{ reporter, signal, ...tolerance, quorum, schema: trainResultSchema },
        // The same clients on another model is other work.
        global,
      });
      let trained: ReturnType<typeof settleTraining>;
      try {
        trained = settleTraining(done, task);
      } catch (error) {
        // Of several clients in a pod some may be lost where the pod did well: they are trained once more by the same command.
        if (done.state.kind === 'complete') await removeJob(done.job, run).catch(() => undefined);
        throw error;
      }
      const reported = `${trained.reported.length} of ${count(clients.length, 'client')} reported`;
      tellDone(run, { stage: 'train', round }, done, reported);
      current = { ...trained, start, trainSeconds: done.seconds, trainJob: done.job };
      return trained;
    },
    async aggregate(task) {
      const { round, updates, quorum = updates.length } = task;
      const file = paths.round(round + 1).globalModel;
      const known = finished(open().start);
      if (known !== undefined) {
        tellSkipped(run, { stage: 'aggregate', round }, describeAggregate(known.aggregate));
        return { file, sha256: known.aggregate.sha256, rejected: known.rejected };
      }
      const { start, reported, missing, trainJob } = open();
      const learningRate = roundLearningRate(settings, { round, clients: start.selected });
      const whole = { ...start, learningRate, reported, missing };
      const facts = hasRoom(whole)
        ? whole
        : { ...whole, reported: reported.map(({ epochs: _, ...each }) => each) };
      const command = aggregateCommand(
        source,
        { round, clients: start.selected, global: { sha256: start.parent } },
        { minUpdates: Math.min(quorum, updates.length), record: RECORD_FILE },
      );
      const aggregating = runOne(command, { schema: aggregateResultSchema, facts });
      const { result, ...done } = await aggregating.catch(async (error: unknown) => {
        // Clients whose updates were no good are trained once more by the same command. Of two pods of one client, the one
        // that was given up may have written after the other had reported: what the Job tells stays wrong.
        const isMissed = error instanceof StageError && error.exitCode === ExitCode.threshold;
        if (isMissed && trainJob !== undefined) await removeJob(trainJob, run).catch(() => undefined);
        throw error;
      });
      current = { ...open(), aggregated: { ...result, seconds: done.seconds } };
      tellDone(run, { stage: 'aggregate', round }, done, describeAggregate(result));
      const rejected = withoutMissing(rejectedUpdates(result.rejected, start.selected), missing);
      return { file, sha256: result.sha256, rejected };
    },
    async evaluate(task) {
      const { round, global } = task;
      const known = finished(open().start);
      if (known?.aggregate.sha256 === global.sha256) {
        tellSkipped(run, { stage: 'evaluate', round }, describeEvaluation(known.evaluation));
        return { ...withLoss(known.evaluation), isSkipped: true };
      }
      const { start, aggregated: aggregate, trainSeconds } = open();
      if (aggregate === undefined) throw new StageError('evaluate', 'the round has no model yet.');
      const seconds = { train: trainSeconds, aggregate: aggregate.seconds };
      const whole = { ...start, aggregate, seconds };
      const facts = hasRoom(whole) ? whole : { ...whole, aggregate: { ...aggregate, clients: undefined } };
      const command = evaluateCommand(source, { models: [global.file], round });
      const { result, ...done } = await runOne(command, { schema: evaluateResultSchema, facts });
      tellDone(run, { stage: 'evaluate', round }, done, describeEvaluation(result));
      return withLoss(result);
    },
    async conclude(result) {
      const { start } = open();
      const { last, best } = result;
      const model = {
        lastModel: last.global.sha256,
        best: { round: best.round, sha256: best.global.sha256 },
      };
      const missed = missedRequirement(last.evaluation, run.required);
      const failure = missed && failureOf(missed, { stage: 'evaluate' });
      const facts = {
        last: start,
        ...model,
        failure,
        result: resultFacts({ ...result, lastRound: newRoundRecord(start) }),
      };
      // What a longer run of before tested last is another model.
      const test = opened.rounds.length > last.round ? last.global.file : undefined;
      // Its seconds are others each time.
      const identity = JSON.stringify([start, model, failure]);
      const ended = await runJobToEnd(jobs.end(facts, { test, identity }), { title: 'end' }, run);
      const { perClient, ...lastRound } = await readResult(
        podOfJob(ended, 'end'),
        { container: recorderName('end'), schema: recordedEndSchema },
        run,
      );
      return { lastRound, perClient };
    },
  };
}

/** Tells what a stage did, or that it was done before. */
function tellDone(
  run: Pick<WaitContext, 'reporter'>,
  stage: Parameters<typeof tell>[1],
  { job, found }: EndedJob & { readonly found: FoundJob },
  text: string,
): void {
  if (found === 'done') tellSkipped(run, stage, text);
  else tell(run, stage, `${text}  ${formatSeconds(jobSeconds(job))}`);
}

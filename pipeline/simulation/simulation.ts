/** The rounds of a run by the simulator: clients are its data, and a round is the smallest finished work. */
import { StageError } from '../../lib/core/errors.js';
import { requireQuorum } from '../../lib/federation/quorum.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import type { Manifest } from '../../lib/formats/manifest.js';
import {
  evaluateReplySchema,
  saveReplySchema,
  type TrainReply,
  trainReplySchema,
} from '../../lib/formats/simulation-messages.js';
import { roundTo } from '../../lib/observability/format.js';
import { commandTarget } from '../command-target.js';
import { roundLearningRate, simulateCommand, stateFiles } from '../commands/stage-commands.js';
import type { LocalRun } from '../local-run.js';
import { concludeAggregation, failAggregation, tellAggregated } from '../record/aggregate-record.js';
import { holds } from '../record/round-ledger.js';
import type {
  AggregateOutcome,
  AggregateTask,
  GlobalModel,
  TrainOutcome,
  TrainTask,
} from '../rounds/runner.js';
import type { StageRunner, Target } from '../rounds/target.js';
import { count, stopwatch, tell, tellSkipped } from '../rounds/telling.js';
import { runStage } from '../stage-process.js';
import type { RoundStep, RoundSteps } from '../volume-runner.js';
import { type SimulatorProcess, startSimulator } from './simulator-process.js';

/** What a simulator does of a run: its accuracy tests as a target, its rounds as steps of their own. */
export interface Simulation {
  readonly target: Target;
  readonly steps: RoundSteps;
}

/** A run without the target that is made for it. */
export type RunBefore = Omit<LocalRun, 'target'>;

/** A simulator, which is started when there is something to do; what it does not know is done by processes. */
export function simulation(run: RunBefore, stages: StageRunner = runStage): Simulation {
  let simulator: SimulatorProcess | undefined;
  const started = (): SimulatorProcess => {
    const onEngine = ({ engine, why }: { readonly engine: string; readonly why: string }) =>
      tell(run, { stage: 'train' }, `${count(run.jobs, 'worker')} on ${engine} (${why})`);
    simulator ??= startSimulator(simulateCommand(run), { ...run, onEngine }, stages.service);
    return simulator;
  };
  const target = commandTarget(run, async (command, context) => {
    if (command.stage !== 'evaluate') return await stages(command, context);
    const [model = ''] = command.reads;
    const [file = ''] = command.writes;
    await started().ask({ request: 'evaluate', model, file }, evaluateReplySchema);
    return [];
  });
  return {
    target: { ...target, close: async () => simulator?.close() },
    steps: {
      train: (run, step) => trainRound(run, step, started),
      aggregate: (run, step) => saveGlobalModel(run, step, started),
      isMadeOf: ({ parent, aggregate }, data) => aggregate.inputs === hashOfInputs({ sha256: parent }, data),
    },
  };
}

type Started = () => SimulatorProcess;

/** Whether the global model that a round ends with lies there, made from what it would be made from again. */
async function isFinished(run: LocalRun, { task, data, ledger }: RoundStep<TrainTask>): Promise<boolean> {
  const { aggregate } = ledger.record;
  if (aggregate === undefined || aggregate.inputs !== hashOfInputs(task.global, data)) return false;
  const state = stateFiles(run, task.round);
  if (state !== undefined && !(await holds(state.out, aggregate.state))) return false;
  return await holds(run.paths.round(task.round + 1).globalModel, aggregate.sha256);
}

/** All updates of a simulated round follow from the model that it starts from, the data, and the run's settings. */
function hashOfInputs(global: Pick<GlobalModel, 'sha256'>, { virtual }: Manifest): string {
  return sha256(JSON.stringify([global.sha256, virtual?.train.sha256, virtual?.partition.sha256]));
}

/**
 * Trains the clients of a round, unless it is aggregated already.
 *
 * @throws {StageError} naming a client whose training failed, where all have to report
 * @throws {ThresholdError} when so many failed that the quorum is missed
 */
async function trainRound(
  run: LocalRun,
  step: RoundStep<TrainTask>,
  started: Started,
): Promise<TrainOutcome> {
  const { task, ledger } = step;
  const { round, global, clients, quorum } = task;
  if (await isFinished(run, step)) {
    tellSkipped(run, { stage: 'train', round }, count(clients.length, 'client'));
    return ledger.record;
  }
  const learningRate = roundLearningRate(run.settings, task);
  const request = {
    ...{ request: 'train' as const, round, learningRate },
    ...{
      global: global.file,
      sha256: global.sha256,
      clients: [...clients],
      stateIn: stateFiles(run, round)?.in,
    },
  };
  const from = performance.now();
  const { result, seconds, took } = await stopwatch(() => started().ask(request, trainReplySchema));
  const { engine, stepSeconds, reported, rejected, missing } = result;
  const startMs = (started().readyAt ?? 0) - from;
  const startSeconds = startMs > 0 ? roundTo(startMs / 1000, 3) : undefined;
  const outcome = { reported, rejected, missing, simulated: { engine, jobs: run.jobs } };
  await ledger.set({ learningRate, ...outcome, aggregate: undefined });
  const times = { seconds, stepSeconds, startSeconds };
  const facts = { learningRate, clients: reported.length, ...meansOf(reported), ...times };
  await run.metrics.append({ event: 'updates', round, ...facts });
  for (const { client, reason } of missing) {
    run.reporter.warn(`train client ${client}: ${reason}`, { round, client });
    await run.metrics.append({ event: 'missing', round, client, reason });
  }
  const [failed] = missing;
  if (quorum === undefined && failed !== undefined) {
    const { client } = failed;
    throw new StageError(`train client ${client}`, failed.reason, { client });
  }
  requireQuorum({ round, selected: clients, missing, quorum: quorum ?? clients.length });
  const perSecond = (reported.length / seconds).toPrecision(3);
  const what = `${count(reported.length, 'client')}, ${perSecond} a second`;
  tell(run, { stage: 'train', round }, `${what}  ${took}`);
  return { reported, missing };
}

/** The means of what the clients' last epochs showed. */
function meansOf(reported: TrainReply['reported']) {
  const examples = reported.reduce((sum, each) => sum + each.examples, 0);
  const mean = (of: (each: TrainReply['reported'][number]) => number | null | undefined) =>
    reported.reduce((sum, each) => sum + each.examples * (of(each) ?? Number.NaN), 0) / examples;
  const [loss, accuracy] = [mean((each) => each.loss), mean((each) => each.accuracy)];
  return {
    ...{ examples, loss: Number.isFinite(loss) ? roundTo(loss, 6) : null },
    ...(Number.isFinite(accuracy) ? { accuracy: roundTo(accuracy, 6) } : {}),
  };
}

/** Writes the global model that the round's training came to, unless it lies there. */
async function saveGlobalModel(
  run: LocalRun,
  { task, data, ledger }: RoundStep<AggregateTask>,
  started: Started,
): Promise<AggregateOutcome> {
  const { round, global, updates, quorum } = task;
  const file = run.paths.round(round + 1).globalModel;
  const { aggregate: earlier, rejected } = ledger.record;
  if (earlier !== undefined) {
    tellAggregated(run, round, earlier);
    return { file, sha256: earlier.sha256, rejected };
  }
  for (const each of rejected) {
    const who = 'client' in each ? `the update of client ${each.client}` : each.file;
    run.reporter.warn(`aggregate: Rejected ${who}: ${each.reason}.`, { round, ...each });
  }
  const request = {
    ...{ request: 'save' as const, file, minUpdates: quorum ?? updates.length },
    stateOut: stateFiles(run, round)?.out,
  };
  const { took, result: made } = await stopwatch(() => started().ask(request, saveReplySchema)).catch(
    (error: unknown) => failAggregation(run, { ledger, rejected, error }),
  );
  const { clients, ...summary } = made;
  const facts = { inputs: hashOfInputs(global, data), ...summary };
  return await concludeAggregation(run, { ledger, facts, rejected, clients, file, took });
}

/** What a run tells of itself at its ends: its plan in a line, its result for people and for machines. */
import { relative } from 'node:path';
import { describeAcross } from '../../lib/federation/across-clients.js';
import { describeLocalWork, localWorkOf } from '../../lib/federation/local-work.js';
import { leadingFigure, metricIn } from '../../lib/federation/metrics.js';
import { selectedCount } from '../../lib/federation/participation.js';
import { formatPrivacy, privacyAfter } from '../../lib/federation/privacy/privacy-record.js';
import { FEDAVG, type StrategySettings } from '../../lib/federation/strategies/strategy-settings.js';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import type { RunSummary } from '../../lib/formats/run-results.js';
import type { Reporter } from '../../lib/observability/events.js';
import { formatDuration, formatTable, type Paint, roundTo } from '../../lib/observability/format.js';
import { modelTitle } from '../../lib/settings/parts/data.js';
import type { RunSettings } from '../../lib/settings/table.js';
import type { Ending } from './ending.js';
import { count, describeEvaluation } from './telling.js';
import type { StageSeconds } from './watched-runner.js';

/** What a finished run came to. */
export interface RunResult extends Ending {
  readonly seconds: StageSeconds;
  /** Absolute path. */
  readonly volume: string;
  readonly lastRound: RoundRecord;
  /** Of the last global model, where clients hold examples out. */
  readonly perClient?: RunSummary['perClient'];
}

/** Rows of the table of clients at most. */
const TABLE_ROWS = 20;

/**
 * The result for machines. A loss that is not finite is null in JSON; with a target there is `targetReached`, and
 * `roundsToTarget` where it is true; privacy stands there only where it was asked for.
 */
export function resultFacts(result: RunResult): RunSummary {
  const { last, best, rounds, stopped, target, participation, seconds, volume, lastRound } = result;
  return {
    accuracy: last.evaluation.accuracy,
    metrics: last.evaluation.metrics,
    loss: last.evaluation.loss,
    rounds,
    stopped,
    ...(target === undefined ? {} : { targetReached: target.rounds !== undefined }),
    ...(target?.rounds === undefined ? {} : { roundsToTarget: target.rounds }),
    best: {
      round: best.round,
      accuracy: best.evaluation.accuracy,
      metrics: best.evaluation.metrics,
      sha256: best.global.sha256,
    },
    participation: { ...participation },
    seconds: {
      split: roundTo(seconds.split, 3),
      train: roundTo(seconds.train, 3),
      aggregate: roundTo(seconds.aggregate, 3),
      evaluate: roundTo(seconds.evaluate, 3),
      total: roundTo(seconds.total, 3),
    },
    sha256: last.global.sha256,
    volume,
    privacy: lastRound.aggregate?.privacy,
    ...(last.evaluation.acrossClients === undefined
      ? {}
      : { acrossClients: { ...lastRound.acrossClients, global: last.evaluation.acrossClients } }),
  };
}

/** The result with each client's figures, of whom there may be thousands. */
export function wholeResult(result: RunResult): RunSummary {
  return { ...resultFacts(result), perClient: result.perClient };
}

/** The result for whoever reads it; `todo` are lines on what to do next. */
export function runOutcome(result: RunResult, todo: readonly string[] = []) {
  const clients = result.lastRound.reported.map(({ client, examples, seconds, alone }) => ({
    ...{ client, examples, seconds, alone },
  }));
  return {
    text: (paint: Paint) => [summary(result, paint), ...todo].join('\n'),
    result: wholeResult(result),
    tables: { clients },
  };
}

/** What to do with the volume of a run on this machine; a model that is served already needs no command. */
export function nextSteps(
  { volume }: Pick<RunResult, 'volume'>,
  { isServed = false } = {},
): readonly string[] {
  const at = (file: string) => shortPath(`${volume}${file}`);
  return [
    `report  ${at('/report.html')}`,
    `watch   npx fedbatch watch ${at('')}`,
    ...(isServed ? [] : [`serve   npx fedbatch serve --model ${at('/aggregated-model.h5')}`]),
  ];
}

/** The report for people: accuracy, a table of the clients, where the time went, where the files are. */
function summary(result: RunResult, paint: Paint): string {
  const { last, lastRound, seconds, target } = result;
  const { metric, value } = leadingFigure(last.evaluation, target);
  const shown = lastRound.reported.slice(0, TABLE_ROWS);
  const clients = shown.map((each) => [
    `${each.client}`,
    `${each.examples}`,
    each.seconds.toFixed(1),
    each.alone === undefined ? '' : metricIn(each.alone, metric).toFixed(4),
    value.toFixed(4),
  ]);
  const header = ['client', 'examples', 'seconds', `${metric} alone`, `${metric} of the average`];
  const stages = (['split', 'train', 'aggregate', 'evaluate'] as const).map(
    (stage) => `${stage} ${formatDuration(seconds[stage])}`,
  );
  const hidden = lastRound.reported.length - shown.length;
  return [
    '',
    paint('bold', accuracyLine(result)),
    ...(result.rounds > 1 ? [bestLine(result)] : []),
    ...targetLine(result),
    ...participationLine(result),
    ...clientsLine(result),
    ...privacyLine(result),
    '',
    formatTable(header, clients),
    ...(hidden > 0 ? [`and ${count(hidden, 'client')} more`] : []),
    '',
    `time    ${formatDuration(seconds.total)}: ${stages.join(', ')}`,
    `model   ${shortPath(`${result.volume}/aggregated-model.h5`)}`,
  ].join('\n');
}

/** How the last global model does client by client, where clients hold examples out. */
function clientsLine({ last, target }: RunResult): readonly string[] {
  const { acrossClients } = last.evaluation;
  if (acrossClients === undefined) return [];
  return [describeAcross(acrossClients, leadingFigure(last.evaluation, target).metric)];
}

/** What the run tells of one client at most, where it was private. */
function privacyLine({ lastRound }: RunResult): readonly string[] {
  const privacy = lastRound.aggregate?.privacy;
  return privacy === undefined ? [] : [`privacy ${formatPrivacy(privacy)}`];
}

/** The accuracy test's own words, e.g. `accuracy 0.9753, loss 0.0812 after 1 round (9753 of 10000 test examples right)`. */
function accuracyLine({ last, rounds, target }: RunResult): string {
  const { accuracy, examples, task } = last.evaluation;
  const told = describeEvaluation(last.evaluation, target);
  const right =
    accuracy === undefined || task === 'multi-label' ? '' : `${Math.round(accuracy * examples)} of `;
  const what = `${examples} test examples${right === '' ? '' : ' right'}`;
  return `${told} after ${count(rounds, 'round')} (${right}${what})`;
}

function bestLine({ best, target }: RunResult): string {
  const { metric, value } = leadingFigure(best.evaluation, target);
  return `best ${metric} ${value.toFixed(4)} in round ${best.round} (best-model.h5)`;
}

function targetLine({ target, stopped, best, rounds }: RunResult): readonly string[] {
  const patience =
    stopped === 'patience'
      ? [
          `stopped: no better ${leadingFigure(best.evaluation, target).metric} since round ${best.round} (--patience)`,
        ]
      : [];
  if (target === undefined) return patience;
  return target.rounds === undefined
    ? [...patience, `target ${target.metric} ${target.value} not reached in ${count(rounds, 'round')}`]
    : [`target ${target.metric} ${target.value} reached in round ${target.rounds}`];
}

function participationLine({ participation, rounds }: RunResult): readonly string[] {
  const { selected, missing, rejected } = participation;
  if (missing + rejected === 0) return [];
  const good = selected - missing - rejected;
  const where = `${count(rounds, 'round')}: ${missing} missing, ${rejected} rejected (why: rounds/*/round.json)`;
  return [`${good} of ${count(selected, 'update')} counted in ${where}`];
}

/** Relative to the working directory where that is below it. */
export function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}

/** `10 clients`, `5 of them a round`, `2 rounds`, …: a phrase each. */
export function planPhrases(settings: RunSettings): readonly string[] {
  const { federation, training, model, seed, strategy = FEDAVG } = settings;
  const { clients, rounds } = federation;
  const selected = selectedCount(federation);
  return [
    count(clients, 'client'),
    ...(selected < clients ? [`${selected} of them a round`] : []),
    count(rounds, 'round'),
    describeLocalWork(localWorkOf(training)),
    `batch ${training.batch}`,
    `model ${modelTitle(model)}`,
    `seed ${seed}`,
    ...privacyPhrases(strategy, { participants: selected, population: clients, rounds }),
  ];
}

/** Warns where figures of single clients go on record beside a promise of privacy to them. */
export function warnOfFigures({ federation, strategy }: RunSettings, reporter: Pick<Reporter, 'warn'>): void {
  if (federation.clientHoldout === undefined || strategy?.privacy === undefined) return;
  reporter.warn(
    'Differential privacy covers the global models, and not how they do on what each client holds out: round.json, ' +
      'metrics.jsonl, accuracy.json and report.html tell that without noise. Share the models alone.',
  );
}

/** What the run's privacy will have cost when all rounds are done: said before the first one starts. */
function privacyPhrases(
  strategy: StrategySettings,
  rounds: Parameters<typeof privacyAfter>[1],
): readonly string[] {
  const { privacy } = privacyAfter(strategy, rounds);
  if (privacy === undefined) return [];
  return [
    `private within ${formatPrivacy(privacy)} after all rounds (--dp-noise ${strategy.privacy?.noise})`,
  ];
}

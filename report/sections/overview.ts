/** The head of the report: how the run stands, what came out, and what the run is. */

import { greatest } from 'd3-array';
import { ExitCode } from '../../lib/core/errors.js';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, scoreOf, type TestFigures, type Threshold } from '../../lib/federation/metrics.js';
import { clientsOf } from '../../lib/formats/manifest.js';
import type { RunRecord } from '../../lib/formats/run-record.js';
import { placeOfFailure } from '../../lib/formats/run-results.js';
import type { RunStatus } from '../../lib/formats/runs/run-status.js';
import { type Html, html } from '../../lib/html/html.js';
import { modelTitle } from '../../lib/settings/parts/data.js';
import { dateOf, epsilonText, grouped, groupedCount, lossText, metricText } from '../format.js';
import { factRows, type HeadFigure, type PageState } from '../frame.js';
import type { ReportRecords } from '../report-records.js';
import { enginesThatRan, settingRows } from '../setting-rows.js';

/** What a run is, in a sentence. */
export const leadOf = ({ id, name, settings: { model, federation }, createdAt }: RunRecord): string =>
  `${name === undefined ? '' : `Run ${id}. `}Model ${modelTitle(model)}, ${groupedCount(federation.clients, 'client')}, begun ${dateOf(createdAt)}`;

/** The tone of each state: what is over and good, what is over and bad, and what goes on or may go on. */
const TONES: Readonly<Record<RunStatus['state'], PageState['tone']>> = {
  running: 'open',
  begun: 'open',
  stopped: 'bad',
  finished: 'good',
  failed: 'bad',
  interrupted: 'open',
};

/** How the run stands, in a word; undefined where its records do not say. */
export function badgeOf({ state, standing }: ReportRecords): PageState | undefined {
  if (standing !== undefined) return { word: standing.state, tone: TONES[standing.state] };
  if (state === undefined) return undefined;
  if (state.kind !== 'failed')
    return state.kind === 'finished' ? { word: 'finished', tone: 'good' } : { word: 'running', tone: 'open' };
  const isInterrupted = state.failure.exitCode === ExitCode.interrupted;
  return isInterrupted ? { word: 'interrupted', tone: 'open' } : { word: 'failed', tone: 'bad' };
}

/** Rounds that were tested, in their order. */
const testedRounds = ({ rounds }: ReportRecords) =>
  rounds.flatMap(({ round, evaluation }) => (evaluation ? [{ round, ...evaluation }] : []));

/** Why a run ended before its last round. */
const EARLY: Readonly<Record<string, string>> = {
  target: 'It ended early, at its target.',
  patience: 'It ended early, since no round made a better model for a while.',
};

/** What came out so far, in a sentence or two; undefined before the first test. */
export function headlineOf(records: ReportRecords): string | undefined {
  const { run, state, timeline } = records;
  const { federation } = run.settings;
  const tested = testedRounds(records);
  const target = targetOf(federation);
  const last = tested.at(-1);
  if (last === undefined)
    return state?.kind === 'failed' ? 'It failed before a round was tested.' : undefined;
  const [metric, value] = figureOf(last, target);
  const best = greatest(tested, (each) => scoreOf(each, target));
  const isBest = best === undefined || best.round === last.round;
  const peak = isBest ? '' : `, the best ${figureOf(best, target)[1]} in round ${best.round}`;
  const rounds =
    state?.kind === 'finished' || last.round === federation.rounds
      ? groupedCount(last.round, 'round')
      : `${grouped(last.round)} of ${groupedCount(federation.rounds, 'round')}`;
  const what = `After ${rounds} with ${groupedCount(federation.clients, 'client')}, the ${metric} of the global model is ${value} on ${groupedCount(last.examples, 'test example')}${peak}.`;
  const early = state?.kind === 'finished' ? EARLY[timeline?.stopped ?? ''] : undefined;
  return early === undefined ? what : `${what} ${early}`;
}

/** The result in large figures. */
export function headFigures(records: ReportRecords): readonly HeadFigure[] {
  const { run, rounds, accuracy, manifest } = records;
  const tested = testedRounds(records);
  const last = tested.at(-1);
  const target = targetOf(run.settings.federation);
  const best = greatest(tested, (each) => scoreOf(each, target));
  const result = last ?? accuracy;
  const done = rounds.filter(({ aggregate }) => aggregate !== undefined).length;
  const privacy = rounds.findLast(({ aggregate }) => aggregate?.privacy)?.aggregate?.privacy;
  const { federation } = run.settings;
  return [
    ...(result === undefined
      ? []
      : ([
          [...figureOf(result, target), `of ${grouped(result.examples)} test examples`],
          ['loss', lossText(result.loss), result.task === undefined ? 'mean cross-entropy' : 'mean loss'],
        ] as const)),
    ['rounds', grouped(done), `of ${grouped(federation.rounds)} at most`],
    ...(best !== undefined && best.round !== last?.round
      ? ([['best', figureOf(best, target)[1], `in round ${best.round}`]] as const)
      : []),
    ...(privacy === undefined
      ? []
      : ([['privacy spent', `ε ${epsilonText(privacy)}`, `at δ ${privacy.delta.toExponential()}`]] as const)),
    [
      'clients',
      grouped(federation.clients),
      manifest ? `${grouped(examplesOf(manifest))} training examples` : '',
    ],
  ];
}

/** The metric that leads, and its value. */
function figureOf(found: TestFigures, target: Threshold | undefined): readonly [string, string] {
  const { metric, value } = leadingFigure(found, target);
  return [metric, metricText(metric, value)];
}

/** What is not as it should be: where the run failed, why, and what to do. */
export function alarmOf({ state, rounds, timeline, standing }: ReportRecords): Html | undefined {
  if (state?.kind === 'failed') {
    const { failure } = state;
    return html`<div class="alarm">
    <p><strong>Failed: ${placeOfFailure(failure)}.</strong> Exit code ${failure.exitCode}, ${dateOf(state.time)}.</p>
    <p>${failure.reason}</p>
    <p><strong>Next:</strong> ${failure.next}</p>
  </div>`;
  }
  if (state?.kind === 'begun') {
    const heard = timeline?.lastEvent === undefined ? '' : `, last heard of ${dateOf(timeline.lastEvent)}`;
    const why =
      standing?.state === 'running'
        ? 'the run goes on.'
        : (standing?.why ?? 'the run is still running, or was killed; the same command resumes it.');
    return html`<p class="note">Begun ${dateOf(state.time)} and not finished${heard}: ${why}</p>`;
  }
  // Of a version that recorded the failures of rounds alone.
  const failed = rounds.find(({ failure, aggregate }) => failure !== undefined && aggregate === undefined);
  return (
    failed &&
    html`<p class="alarm"><strong>Round ${failed.round} failed.</strong> ${failed.failure?.reason}</p>`
  );
}

/** The settings that applied, with the engine that ran, and versions. */
export function settings({ run, rounds }: ReportRecords): Html {
  return html`<section class="card">
    <h2>The run</h2>
    ${factRows(settingRows(run, enginesThatRan(rounds)))}
  </section>`;
}

function examplesOf(manifest: NonNullable<ReportRecords['manifest']>): number {
  return clientsOf(manifest).reduce((sum, { examples }) => sum + examples, 0);
}

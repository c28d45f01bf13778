/** The head of the report: what came out, and what the run is. */

import { greatest } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, scoreOf, type TestFigures, type Threshold } from '../../lib/federation/metrics.js';
import { clientsOf } from '../../lib/formats/manifest.js';
import type { RunRecord } from '../../lib/formats/run-record.js';
import { placeOfFailure } from '../../lib/formats/run-results.js';
import { type Html, html } from '../../lib/html/html.js';
import { modelTitle } from '../../lib/settings/parts/data.js';
import { dateOf, epsilonText, grouped, groupedCount, lossText, metricText, shortHash } from '../format.js';
import type { RunRecords } from '../records.js';
import { settingRows } from '../setting-rows.js';
import { factRows, type HeadFigure } from '../style.js';

/** What a run is, in a sentence. */
export const leadOf = ({ settings: { model, federation }, createdAt }: RunRecord): string =>
  `Model ${modelTitle(model)}, ${groupedCount(federation.clients, 'client')}, begun ${dateOf(createdAt)}`;

/** The result in large figures. */
export function headFigures(records: RunRecords): readonly HeadFigure[] {
  const { run, rounds, accuracy, manifest } = records;
  const tested = rounds.flatMap(({ round, evaluation }) => (evaluation ? [{ round, ...evaluation }] : []));
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
export function alarmOf({ state, rounds }: RunRecords): Html | undefined {
  if (state?.kind === 'failed') {
    const { failure } = state;
    return html`<div class="alarm">
    <p><strong>Failed: ${placeOfFailure(failure)}.</strong> Exit code ${failure.exitCode}, ${dateOf(state.time)}.</p>
    <p>${failure.reason}</p>
    <p><strong>Next:</strong> ${failure.next}</p>
  </div>`;
  }
  if (state?.kind === 'begun') {
    return html`<p class="note">Begun ${dateOf(state.time)} and not finished: the run is still running, or was killed; the same command resumes it.</p>`;
  }
  // Of a version that recorded the failures of rounds alone.
  const failed = rounds.find(({ failure, aggregate }) => failure !== undefined && aggregate === undefined);
  return (
    failed &&
    html`<p class="alarm"><strong>Round ${failed.round} failed.</strong> ${failed.failure?.reason}</p>`
  );
}

/** Settings, versions and hashes: everything that makes the run again. */
export function settings(records: RunRecords): Html {
  const { run, manifest, accuracy, rounds } = records;
  const last = rounds.findLast(({ aggregate }) => aggregate !== undefined)?.aggregate;
  const hashes: readonly (readonly [string, string | undefined])[] = [
    ['dataset', manifest?.dataset.sha256 ?? run.settings.dataset.sha256],
    ['test examples', manifest?.test.sha256],
    ['initial model', rounds[0]?.parent],
    ['global model', last?.sha256 ?? accuracy?.sha256],
  ];
  return html`<section class="card">
    <h2>The run</h2>
    ${factRows(settingRows(run))}
    <h3>sha256</h3>
    ${factRows(hashes.flatMap(([name, hash]) => (hash === undefined ? [] : [[name, html`<code title="${hash}">${shortHash(hash)}</code>`] as const])))}
  </section>`;
}

function examplesOf(manifest: NonNullable<RunRecords['manifest']>): number {
  return clientsOf(manifest).reduce((sum, { examples }) => sum + examples, 0);
}

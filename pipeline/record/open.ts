/** The first step of a run whose pipeline has no volume of its own: takes the volume, tells which rounds are done. */

import { packageVersion } from '../../lib/cli/version.js';
import { FEDAVG, keepsState } from '../../lib/federation/strategies/strategy-settings.js';
import { ifWhole } from '../../lib/formats/files/json-document.js';
import { EVENTS_VERSION } from '../../lib/formats/metrics-event.js';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import type { FinishedRound, Opened } from '../../lib/formats/run-results.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { byFlag } from '../../lib/settings/setting.js';
import { ALL_PARTS, type RunSettings } from '../../lib/settings/table.js';
import { givenLabels } from '../../lib/settings/value-type.js';
import type { Watchers } from '../../observe/watcher.js';
import { hashOfSelected } from '../rounds/outcomes.js';
import { withHashes } from '../run.js';
import type { RunFacts } from './facts.js';
import { openMetrics } from './metrics.js';
import { holds } from './round-ledger.js';
import { openRunVolume } from './run-volume.js';

/**
 * Opens the volume as `fedbatch run` does, and lets go of it again: the steps of a run on a cluster follow each other.
 *
 * @throws {UsageError} when the volume holds something else
 */
export async function openForRecords(
  facts: RunFacts,
  {
    paths,
    fresh,
    reporter,
    openWatchers,
  }: {
    readonly paths: VolumePaths;
    readonly fresh: boolean;
    readonly reporter: Reporter;
    readonly openWatchers: () => Promise<Watchers>;
  },
): Promise<Opened> {
  const { id, name, threads, quorum, retries, deadlineSeconds } = facts;
  const settings = await withHashes(facts.settings);
  const versions = { fedbatch: packageVersion(), node: process.versions.node };
  const volume = await openRunVolume({
    paths,
    facts: { id, ...givenLabels({ name }), settings, threads, versions },
    requiresThreads: true,
    named: byFlag({ parts: ALL_PARTS }),
    fresh,
    reporter,
  });
  try {
    const metrics = await openMetrics(paths, { watchers: await openWatchers() });
    const { resumed } = volume;
    await metrics
      .append({
        event: 'start',
        schemaVersion: EVENTS_VERSION,
        id,
        resumed,
        settings,
        quorum,
        retries,
        deadlineSeconds,
        threads,
      })
      .finally(() => metrics.close());
    return { resumed, ...(await finishedRounds(paths, settings)) };
  } finally {
    volume.release();
  }
}

/** The rounds that lie there whole, from the first on, and the model that the first of them started from. */
export async function finishedRounds(
  paths: VolumePaths,
  { strategy = FEDAVG }: Pick<RunSettings, 'strategy'>,
): Promise<Pick<Opened, 'initial' | 'rounds'>> {
  const rounds: FinishedRound[] = [];
  const hasState = keepsState(strategy);
  let initial: string | undefined;
  for (let round = 1; ; round++) {
    const record = await ifWhole(readRoundRecord(paths.round(round).record));
    if (record === undefined || !(await holds(paths.round(round).globalModel, record.parent))) break;
    initial ??= record.parent;
    const { aggregate, evaluation, parent, rejected, missing, selected } = record;
    if (aggregate === undefined || evaluation?.model !== aggregate.sha256) break;
    const next = paths.round(round + 1);
    if (!(await holds(next.globalModel, aggregate.sha256))) break;
    if (hasState && !(await holds(next.serverState, aggregate.state))) break;
    rounds.push({
      round,
      parent,
      rejected,
      missing,
      selected: hashOfSelected(selected),
      aggregate,
      evaluation,
    });
  }
  return { ...(initial === undefined ? {} : { initial }), rounds };
}

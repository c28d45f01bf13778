/** The first step of a run whose pipeline has no volume of its own: takes the volume, tells which rounds are done. */

import { packageVersion } from '../../lib/cli/version.js';
import { FEDAVG, keepsState } from '../../lib/federation/strategies/strategy-settings.js';
import { ifWhole } from '../../lib/formats/files/json-document.js';
import { readManifest } from '../../lib/formats/manifest.js';
import { EVENTS_VERSION } from '../../lib/formats/metrics-event.js';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import type { FinishedRound, Opened } from '../../lib/formats/run-results.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { byFlag } from '../../lib/settings/setting.js';
import { ALL_PARTS, type RunSettings } from '../../lib/settings/table.js';
import { givenLabels } from '../../lib/settings/value-type.js';
import type { Watchers } from '../../observe/watcher.js';
import { isMadeOfUpdates } from '../aggregate-stage.js';
import { hashOfSelected } from '../rounds/outcomes.js';
import { withHashes } from '../run.js';
import type { RunFacts } from './facts.js';
import { openMetrics } from './metrics.js';
import { holds } from './round-ledger.js';
import { openRunVolume } from './run-volume.js';
import { chainOfRounds } from './settled-rounds.js';

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

/**
 * The model that round 1 has started from, and the rounds from it on that lie there whole and are made of these settings
 * and of the data that lie there: none where the split is to be made again.
 */
export async function finishedRounds(
  paths: VolumePaths,
  { strategy = FEDAVG, federation, seed }: Pick<RunSettings, 'strategy' | 'federation' | 'seed'>,
): Promise<Pick<Opened, 'initial' | 'rounds'>> {
  const first = await ifWhole(readRoundRecord(paths.round(1).record));
  if (first === undefined || !(await holds(paths.round(1).globalModel, first.parent))) return { rounds: [] };
  const data = await ifWhole(readManifest(paths.manifest));
  // Those, too, that a run of more rounds has left.
  const { clients, fraction, minClients } = federation;
  const plan = { clients, fraction, minClients, seed, rounds: Number.POSITIVE_INFINITY };
  const chain = data && (await chainOfRounds({ paths }, { plan, data, isMadeOf: isMadeOfUpdates }));
  const hasState = keepsState(strategy);
  const rounds: FinishedRound[] = [];
  for (const { round, aggregate, evaluation, parent, rejected, missing, selected } of chain ?? []) {
    const next = paths.round(round + 1);
    if (!(await holds(next.globalModel, aggregate.sha256))) break;
    if (hasState && !(await holds(next.serverState, aggregate.state))) break;
    const facts = { round, parent, rejected, missing, aggregate, evaluation };
    rounds.push({ ...facts, selected: hashOfSelected(selected) });
  }
  return { initial: first.parent, rounds };
}

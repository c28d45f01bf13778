/** Writes what happened in a round onto the volume: after the training, after the accuracy test. Safe to repeat. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { targetOf } from '../../lib/federation/early-stop.js';
import { scoreOf, valueOfScore } from '../../lib/federation/metrics.js';
import { placeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { readManifest } from '../../lib/formats/manifest.js';
import { readRoundRecord, readRunRecord } from '../../lib/formats/run-record.js';
import { isUpdateName } from '../../lib/formats/volume.js';
import { hashOfInputs } from '../aggregate-stage.js';
import { readAccuracy, recordEvaluation } from '../evaluate-stage.js';
import type { LocalRun } from '../local-run.js';
import { rejectedUpdates } from '../rounds/outcomes.js';
import { count, tell } from '../rounds/telling.js';
import { concludeAggregation } from './aggregate-record.js';
import type { RoundStartFacts, TestedFacts, TrainedFacts } from './facts.js';
import { tellRound } from './metrics.js';
import { gatherUpdates } from './places.js';
import { holds, openLedger, type RoundLedger } from './round-ledger.js';
import { recordDataset } from './run-volume.js';

/** What the steps of the recorder share. */
export type Recording = Pick<LocalRun, 'paths' | 'metrics' | 'reporter'>;

/** A round's clients are done: who reported and who is missing goes on record, and only the updates of the former stay. */
export async function recordTrained(run: Recording, facts: TrainedFacts): Promise<void> {
  const { paths, metrics } = run;
  const { round, selected, learningRate, missing } = facts;
  if (await isAggregatedFrom(run, facts)) return;
  const manifest = await readManifest(paths.manifest);
  await recordDataset({ paths, record: await readRunRecord(paths.run) }, manifest.dataset.sha256);
  // A trainer that was stopped after its last write: what has not been reported must not be averaged.
  const good = new Set(facts.reported.map(({ client }) => `${client}.h5`));
  await gatherUpdates(paths, facts);
  const { updates } = paths.round(round);
  for (const name of await readdir(updates).catch(() => [])) {
    if (isUpdateName(name) && !good.has(name)) await rm(join(updates, name), { force: true });
  }
  for (const { client, sha256 } of facts.reported) {
    const update = paths.round(round).update(client);
    if (await holds(update, sha256)) await placeFileAtomic(update, paths.clientModel(client));
  }
  // Another look, right before the record is written: a process without a lock may have been halted since the first.
  if (await isAggregatedFrom(run, facts)) return;
  const ledger = await ledgerOf(run, facts);
  const before = new Map(ledger.record.reported.map((each) => [each.client, each]));
  const reported = facts.reported
    .map((each) => {
      const known = before.get(each.client);
      // What has been found of this very update since stays.
      const found = known?.sha256 === each.sha256 ? known : {};
      return { ...found, ...each, shard: manifest.shards[each.client]?.sha256 ?? '' };
    })
    .sort((a, b) => a.client - b.client);
  const lost = new Set(ledger.record.missing.map(({ client }) => client));
  await ledger.set({ learningRate, reported, missing });
  for (const each of reported) {
    if (before.get(each.client)?.sha256 !== each.sha256)
      await metrics.append({ event: 'update', round, learningRate, ...each });
  }
  for (const each of missing) {
    if (!lost.has(each.client)) await metrics.append({ event: 'missing', round, ...each });
  }
  tell(run, { stage: 'train', round }, `${reported.length} of ${count(selected.length, 'client')} reported`);
}

/** A round is aggregated and tested: its model takes its place, and `round.json` and `metrics.jsonl` tell of it. */
export async function recordTested(run: Recording, facts: TestedFacts): Promise<void> {
  const { paths } = run;
  const { round, aggregate, seconds: spent } = facts;
  const ledger = await ledgerOf(run, facts);
  const { reported, evaluation: earlier } = ledger.record;
  if (ledger.record.aggregate?.sha256 === aggregate.sha256 && earlier?.model === aggregate.sha256) return;
  // Before anything is changed: where it tells of a later round's model, this recorder comes too late.
  const { seconds = 0, ...figures } = await readAccuracy(paths.accuracy, aggregate);
  const file = paths.round(round + 1).globalModel;
  const { rejected: refusals, clients, ...summary } = aggregate;
  const inputs = hashOfInputs({ sha256: facts.parent }, reported);
  await concludeAggregation(run, {
    ledger,
    facts: { inputs, ...summary },
    rejected: rejectedUpdates(refusals, facts.selected),
    clients,
    file,
    took: `${aggregate.seconds} s`,
  });
  const { test } = await readManifest(paths.manifest);
  const evaluation = { model: aggregate.sha256, test: test.sha256, ...figures, seconds };
  const best = await bestBefore(run, round);
  const task = { round, global: { file, sha256: aggregate.sha256 } };
  const { settings } = await readRunRecord(paths.run);
  await recordEvaluation({ ...run, settings }, { task, ledger, best, facts: evaluation });
  const target = targetOf(settings.federation);
  const score = Math.max(best, scoreOf(evaluation, target));
  await tellRound(run, ledger, {
    ...spent,
    evaluate: seconds,
    best: valueOfScore(score, evaluation, target),
  });
}

/**
 * Whether a round was aggregated from the very updates that the facts tell of: then its record has more than they do. The
 * recorder of a pod that was given up may come late, when the one in its place has long ended.
 */
async function isAggregatedFrom({ paths }: Recording, facts: TrainedFacts): Promise<boolean> {
  const record = await readRoundRecord(paths.round(facts.round).record).catch(() => undefined);
  return record?.aggregate?.inputs === hashOfInputs({ sha256: facts.parent }, facts.reported);
}

/** The record of a round, opened again. */
export function ledgerOf({ paths }: Recording, facts: RoundStartFacts): Promise<RoundLedger> {
  return openLedger(paths.round(facts.round), startOf(facts));
}

const startOf = ({ round, parent, selected, quorum }: RoundStartFacts) => ({
  round,
  parent,
  selected,
  quorum,
});

/** The best score of the rounds before. */
async function bestBefore({ paths }: Recording, round: number): Promise<number> {
  const target = targetOf((await readRunRecord(paths.run)).settings.federation);
  let best = Number.NEGATIVE_INFINITY;
  for (let before = 1; before < round; before++) {
    const { evaluation } = await readRoundRecord(paths.round(before).record);
    if (evaluation !== undefined) best = Math.max(best, scoreOf(evaluation, target));
  }
  return best;
}

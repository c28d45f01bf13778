/** The steps of the recorder: facts from a file → records on the volume. */
import type { ProgramContext } from '../../lib/cli/program.js';
import { parseDocument } from '../../lib/formats/files/json-document.js';
import { readManifest } from '../../lib/formats/manifest.js';
import { readRunRecord } from '../../lib/formats/run-record.js';
import type { Opened, RecordedEnd, RecordedFailure, RecordedRound } from '../../lib/formats/run-results.js';
import { type VolumePaths, volumePaths } from '../../lib/formats/volume.js';
import type { GivenSettings } from '../../lib/settings/complete.js';
import { settingsDifferences } from '../../lib/settings/differences.js';
import { byFlag } from '../../lib/settings/setting.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import type { Watchers } from '../../observe/watcher.js';
import { concludeStage, reportStage } from '../conclude-stage.js';
import { readPerClient } from '../evaluate-stage.js';
import {
  type EndFacts,
  endFactsSchema,
  type FailedFacts,
  failedFactsSchema,
  readFacts,
  runFactsSchema,
  runGroupSchema,
  testedFactsSchema,
  trainedFactsSchema,
} from './facts.js';
import { openMetrics, recordFailure } from './metrics.js';
import { finishedRounds, openForRecords } from './open.js';
import { clearPlaces, layPlaces } from './places.js';
import { ledgerOf, type Recording, recordTested, recordTrained } from './rounds.js';

/** What to record, and where. */
interface RecordOptions extends ProgramContext {
  /** Absolute path of the run's directory. */
  readonly volume: string;
  /** Path of the facts. */
  readonly facts: string;
  readonly fresh: boolean;
  /** Whether what single clients see of the next round is laid out once this one is tested. */
  readonly places: boolean;
  /** Who watches the run, and as JSON what it is a part of. */
  readonly watching: { readonly given: GivenSettings; readonly partOf?: string | undefined };
}

/** Clients of the last round that the result tells of: a person can still read them. */
const CLIENTS_TOLD = 20;

/** Does one step; returns what the program prints. @throws {FedbatchError} when facts or volume are no good */
export async function recordStep(
  step: 'open' | 'placed' | 'trained' | 'tested' | 'end' | 'failed',
  options: RecordOptions,
): Promise<Opened | RecordedRound | RecordedEnd | RecordedFailure> {
  const paths = volumePaths(options.volume);
  const { facts: file, fresh, reporter, watching } = options;
  const open = () => watchersOf(watching, { paths, reporter });
  if (step === 'open')
    return openForRecords(await readFacts(file, runFactsSchema), {
      paths,
      fresh,
      reporter,
      openWatchers: open,
    });
  if (step === 'placed') {
    const { settings } = await readRunRecord(paths.run);
    const round = (await finishedRounds(paths, settings)).rounds.length + 1;
    await layPlaces(paths, round);
    return { step, round };
  }
  const metrics = await openMetrics(paths, { watchers: await open() });
  const run: Recording = { paths, reporter, metrics };
  try {
    return await recordOn(run, step, options);
  } finally {
    await run.metrics.close();
  }
}

/** Those who watch the run. What they were told by the process before this one, they find out by themselves. */
async function watchersOf(
  { given, partOf }: RecordOptions['watching'],
  context: { readonly paths: VolumePaths } & Pick<RecordOptions, 'reporter'>,
): Promise<Watchers> {
  const { openWatchers } = await import('../../observe/open-watchers.js');
  const group =
    partOf === undefined
      ? undefined
      : parseDocument(partOf, { schema: runGroupSchema, file: '--part-of', expected: 'a group of runs' });
  return openWatchers(given, { ...context, partOf: group });
}

/** The steps of a run whose volume is open. */
async function recordOn(
  run: Recording,
  step: 'trained' | 'tested' | 'end' | 'failed',
  options: RecordOptions,
): Promise<RecordedRound | RecordedEnd | RecordedFailure> {
  const { facts: file } = options;
  if (step === 'end')
    return recordEnd({ ...run, signal: options.signal }, await readFacts(file, endFactsSchema));
  if (step === 'failed')
    return recordFailed({ ...run, signal: options.signal }, await readFacts(file, failedFactsSchema));
  const { round } =
    step === 'trained'
      ? await recorded(run, await readFacts(file, trainedFactsSchema), recordTrained)
      : await recorded(run, await readFacts(file, testedFactsSchema), recordTested);
  // Whoever looks while the run goes on sees how far it is.
  await reportStage({ ...run, signal: options.signal });
  if (step === 'tested' && options.places) await layPlaces(run.paths, round + 1);
  return { step, round };
}

async function recorded<Facts extends { readonly round: number }>(
  run: Recording,
  facts: Facts,
  record: (run: Recording, facts: Facts) => Promise<void>,
): Promise<Facts> {
  await record(run, facts);
  return facts;
}

/** The results take their places; the accuracy test of the last model lies there already. */
async function recordEnd(
  run: Recording & Pick<RecordOptions, 'signal'>,
  { last, lastModel, best, result, failure }: EndFacts,
): Promise<RecordedEnd> {
  const { paths, metrics } = run;
  const ledger = await ledgerOf(run, last);
  const model = (round: number, sha256: string) => ({ file: paths.round(round + 1).globalModel, sha256 });
  await concludeStage(run, {
    last: model(last.round, lastModel),
    best: model(best.round, best.sha256),
    data: await readManifest(paths.manifest),
    ledger,
    test: async () => undefined,
  });
  // The next round of a run that has stopped early was laid out, and one that was taken up again may have been once more.
  const rounds = Array.from({ length: last.round + 1 }, (_, at) => paths.round(at + 1));
  await clearPlaces(paths, rounds);
  await metrics.append({ event: 'end', ...result });
  if (failure !== undefined) await recordFailure(run, failure);
  await reportStage(run);
  const { reported, ...record } = ledger.record;
  const perClient =
    record.evaluation?.acrossClients === undefined ? undefined : await readPerClient(paths.accuracy);
  return { ...record, clients: reported.length, reported: reported.slice(0, CLIENTS_TOLD), perClient };
}

/** @throws {DataError} where no run's record lies */
async function recordFailed(
  run: Recording & Pick<RecordOptions, 'signal'>,
  { settings, failure }: FailedFacts,
): Promise<RecordedFailure> {
  const record = await readRunRecord(run.paths.run);
  if (settingsDifferences(record.settings, settings, byFlag({ parts: ALL_PARTS })).length > 0)
    return { recorded: false };
  await recordFailure(run, failure);
  await reportStage(run);
  return { recorded: true };
}

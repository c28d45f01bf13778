/**
 * Watches a run for TensorBoard: event files from its records alone; whoever writes them goes on where the last one
 * ended, and no step is there twice.
 */
import type { TimedEvent } from '../../lib/formats/metrics-event.js';
import { type RunRecord, readRoundRecord, readRunRecord } from '../../lib/formats/run-record.js';
import { recordedEvents } from '../../lib/formats/runs/event-lines.js';
import { MOST_LOGGED_CLIENTS, type VolumePaths } from '../../lib/formats/volume.js';
import type { RunWatcher } from '../watcher.js';
import { type EventFile, openEventFile } from './event-file.js';
import type { StepEvent } from './event-message.js';
import { HPARAMS_END, HPARAMS_START, sessionEnd, sessionStart } from './hyper-parameters.js';
import { testPictures, weightHistograms } from './model-values.js';
import { clientEvents, globalValues, ROUND_TAGS } from './round-values.js';

/** What ends a piece of a file: a round, or what the hparams plugin is told of the whole session. */
const CLOSING = [...ROUND_TAGS, HPARAMS_START, HPARAMS_END];

/** The logs of a run on its volume. */
export interface RunLogs {
  /** Adds what an event says that is not there yet; true where that is a round. */
  hear(event: TimedEvent): Promise<boolean>;
  /** Does so for all events on record; returns how many rounds were added. */
  catchUp(): Promise<number>;
}

/**
 * The logs of the run on a volume; nothing is read or written before there is something to add.
 *
 * @throws {DataError} by its functions, when a record of the run is missing or damaged
 * @throws {StorageError} likewise, when the disk refuses
 */
export function createRunLogs(paths: VolumePaths): RunLogs {
  const files = new Map<string, Promise<EventFile>>();
  const fileOf = (writer: 'global' | number): Promise<EventFile> => {
    const path = paths.eventFile(writer);
    const file = files.get(path) ?? openEventFile(path, CLOSING);
    files.set(path, file);
    return file;
  };
  const logs: RunLogs = {
    async hear(event) {
      if (event.event === 'round') return await writeRound(event, { paths, fileOf });
      if (event.event === 'end') await writeEnd(await fileOf('global'), secondsOf(event));
      return false;
    },
    async catchUp() {
      let added = 0;
      for await (const events of recordedEvents(paths.metrics))
        for (const event of events) if (await logs.hear(event)) added++;
      return added;
    },
  };
  return logs;
}

const secondsOf = ({ time }: { readonly time: string }): number => Date.parse(time) / 1000;

const isAfter = ({ lastStep }: EventFile, step: number): boolean => lastStep === undefined || step > lastStep;

/** Writes what is missing of a round, the clients first: where the global model's step is, all of the round is. */
async function writeRound(
  round: Extract<TimedEvent, { readonly event: 'round' }>,
  {
    paths,
    fileOf,
  }: { readonly paths: VolumePaths; readonly fileOf: (writer: 'global' | number) => Promise<EventFile> },
): Promise<boolean> {
  const { round: step, sha256 } = round;
  const wallTime = secondsOf(round);
  const global = await fileOf('global');
  if (!isAfter(global, step)) return false;
  const record = await readRoundRecord(paths.round(step).record);
  const run = await readRunRecord(paths.run);
  for (const client of record.reported) {
    if (client.client >= MOST_LOGGED_CLIENTS) continue;
    const file = await fileOf(client.client);
    if (isAfter(file, step)) await file.append(clientEvents(client, { step, wallTime, run }));
  }
  const values = [
    ...globalValues(round, record),
    ...(await weightHistograms(paths.round(step + 1).globalModel)),
    ...(await testPictures(paths, sha256)),
  ];
  const before = global.lastStep === undefined ? [await beginning(run, paths)] : [];
  await global.append([...before, { step, wallTime, values }]);
  return true;
}

/** Step 0: the settings, and the weights that round 1 starts from. */
async function beginning(run: RunRecord, paths: VolumePaths): Promise<StepEvent> {
  return {
    step: 0,
    wallTime: secondsOf({ time: run.createdAt }),
    values: [sessionStart(run), ...(await weightHistograms(paths.round(1).globalModel))],
  };
}

/** A run whose rounds were raised since ends again: the first end stands. */
async function writeEnd(global: EventFile, wallTime: number): Promise<void> {
  const { lastStep: step } = global;
  if (step === undefined || global.has(HPARAMS_END)) return;
  await global.append([{ step, wallTime, values: [sessionEnd(wallTime)] }]);
}

/** The watcher of the run on a volume. */
export function tensorboardWatcher(paths: VolumePaths): RunWatcher {
  const logs = createRunLogs(paths);
  let hasCaughtUp = false;
  return {
    name: 'TensorBoard',
    async event(event) {
      // What an earlier session, or another pod, has put on record and not into the logs comes first.
      if (!hasCaughtUp && ['start', 'round', 'end'].includes(event.event)) {
        await logs.catchUp();
        hasCaughtUp = true;
      }
      await logs.hear(event);
    },
  };
}

/** A volume that grows step by step as that of a run does: its records in the order in which a run writes them. */
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { type RunRecord, writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { sampleRecords } from './sample-records.js';

/** A volume of a test. */
export interface LiveVolume {
  readonly root: string;
  /** Adds a line to metrics.jsonl, as of a run on a cluster: nobody holds its volume all the time. */
  tell(event: object): Promise<void>;
  /** Writes the record of a round that is under way: one client has reported, one has failed. */
  begin(round: number): Promise<void>;
  /** Writes the record of a round, and its event. */
  round(number: number): Promise<void>;
}

/** Begins a run of 4 clients and 3 rounds at `root`. */
export async function beginVolume(root: string, run: Partial<RunRecord> = {}): Promise<LiveVolume> {
  const records = sampleRecords();
  const paths = volumePaths(root);
  const tell = async (event: object) => {
    await appendFile(paths.metrics, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
  };
  const roundOf = (number: number) => {
    const record = records.rounds[number - 1];
    if (record === undefined) throw new Error(`There is no round ${number}.`);
    return record;
  };
  await writeRecord(paths.run, { ...records.run, ...run });
  await mkdir(dirname(paths.manifest), { recursive: true });
  await writeFileAtomic(paths.manifest, JSON.stringify(records.manifest));
  await tell({ event: 'start' });
  return {
    root,
    tell,
    async begin(number) {
      const { aggregate: _, evaluation: __, rejected: ___, reported, ...record } = roundOf(number);
      await writeRecord(paths.round(number).record, {
        ...record,
        rejected: [],
        reported: reported.slice(0, 1),
      });
    },
    async round(number) {
      const record = roundOf(number);
      await writeRecord(paths.round(number).record, record);
      await tell({ event: 'round', round: number, seconds: { train: 4, aggregate: 0.2, evaluate: 0.3 } });
    },
  };
}

/** The made-up run of the tests as records on a volume, with a learning rate, a name and an accuracy of the test's own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { sampleRecords } from './sample-records.js';

interface SampleRun {
  readonly name: string;
  readonly learningRate?: number;
  /** Of every round. */
  readonly accuracy: number;
}

/** Writes it; the result is the volume. */
export async function writeSampleRun(
  volume: string,
  { name, learningRate = 0.1, accuracy }: SampleRun,
): Promise<string> {
  const { run, rounds } = sampleRecords();
  const paths = volumePaths(volume);
  const settings = { ...run.settings, training: { ...run.settings.training, learningRate } };
  await writeRecord(paths.run, { ...run, name, settings });
  for (const each of rounds) {
    const evaluation = each.evaluation && { ...each.evaluation, loss: 0.5, accuracy };
    await writeRecord(paths.round(each.round).record, { ...each, evaluation });
  }
  await mkdir(dirname(paths.metrics), { recursive: true });
  await writeFile(paths.metrics, '{"time":"2026-01-01T00:00:00Z","event":"start"}\n');
  return volume;
}

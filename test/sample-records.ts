/**
 * The records of a small made-up run for the tests of the report: every section has something to tell; also on a
 * volume.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { newRoundRecord, newRunRecord, type RoundRecord, writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import type { RunSettings } from '../lib/settings/table.js';
import type { ReportRecords } from '../report/report-records.js';

const hash = (digit: string) => digit.repeat(64);

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';

/** Four clients, three rounds; one client late, one update rejected, one loss that is no number. */
export function sampleRecords(): ReportRecords {
  const partition = { scheme: 'dirichlet', alpha: 0.5, minExamples: 1 } as const;
  const part = (file: string, labelHistogram: readonly number[]) => ({
    file,
    labelHistogram: [...labelHistogram],
    examples: labelHistogram.reduce((sum, each) => sum + each, 0),
    sizeBytes: 1,
    sha256: hash('a'),
  });
  return {
    run: newRunRecord({
      id: 'my<data>-4x1-00000000',
      settings: {
        seed: 7,
        dataset: { name: '/somewhere/my<data>.npz', sha256: hash('b') },
        model: { name: 'mlp' },
        engine: { name: 'auto' },
        training: { epochs: 1, batch: 10, optimizer: 'sgd', learningRate: 0.1, momentum: 0 },
        federation: { clients: 4, rounds: 3, partition, fraction: 1, minClients: 1, targetAccuracy: 0.85 },
      },
      threads: 1,
      versions: { fedbatch: '0.1.0', node: '20.0.0' },
    }),
    manifest: {
      schemaVersion: 1,
      dataset: { file: 'my<data>.npz', sha256: hash('b'), testFraction: null },
      partition: { ...partition, seed: 7 },
      classes: 2,
      image: { shape: [8, 8], dtype: 'uint8' },
      shards: [part('0.npz', [10, 5]), part('1.npz', [3, 9]), part('2.npz', [0, 7]), part('3.npz', [1, 1])],
      test: part('test.npz', [100, 100]),
    },
    rounds: [
      round(1, { missing: [{ client: 1, reason: 'did not report within 30 s' }] }, 0.5, null),
      round(2, { missing: [{ client: 1, reason: 'did not report within 30 s' }] }, 0.9, 0.4),
      round(
        3,
        { rejected: [{ client: 3, reason: '715 × 2 <img src=x onerror=alert(1)> in dense' }] },
        0.81,
        null,
      ),
    ],
    accuracy: {
      sha256: hash('c'),
      examples: 200,
      loss: null,
      accuracy: 0.81,
      perClass: [
        { class: 0, examples: 100, accuracy: 0.92 },
        { class: 1, examples: 100, accuracy: 0.7 },
      ],
      confusions: [
        [0, 0, 92],
        [0, 1, 8],
        [1, 0, 30],
        [1, 1, 70],
      ],
    },
    mistakes: [
      // One black pixel.
      { example: 7, label: 1, predicted: 0, loss: 9.5, png: PIXEL },
      { example: 3, label: 0, predicted: 1, loss: null, png: PIXEL },
    ],
    sessions: [{ time: '', seconds: { split: 0.5, train: 12.5, aggregate: 0.2, evaluate: 1, total: 14.2 } }],
    timeline: {
      lastEvent: '2026-01-01T00:00:14Z',
      spans: [
        { row: 'split', stage: 'split', from: 0, to: 0.5 },
        { row: 'client 0', stage: 'train', round: 1, from: 0.5, to: 4 },
        { row: 'client 2', stage: 'train', round: 1, from: 0.5, to: 3 },
        { row: 'aggregate', stage: 'aggregate', round: 1, from: 4, to: 4.2 },
        { row: 'evaluate', stage: 'evaluate', round: 1, from: 4.2, to: 4.5 },
      ],
    },
  };
}

function round(
  number: number,
  losses: Partial<Pick<RoundRecord, 'missing' | 'rejected'>>,
  accuracy: number,
  loss: number | null,
): RoundRecord {
  const gone = (losses.missing ?? []).map(({ client }) => client);
  const reported = [0, 1, 2, 3].filter((client) => !gone.includes(client));
  return {
    ...newRoundRecord({ round: number, parent: hash('d'), selected: [0, 1, 2, 3] }),
    ...losses,
    reported: reported.map((client) => ({
      client,
      examples: 9,
      seconds: 1,
      loss: 0.5,
      accuracy: 0.8,
      shard: hash('a'),
      sha256: hash('e'),
      norm: 1 + client / 10,
      cosine: 0.9 - client / 10,
    })),
    aggregate: {
      inputs: hash('f'),
      updates: 3,
      examples: 27,
      seconds: 0.1,
      sha256: hash('c'),
      privacy: { epsilon: 1.5, epsilonPoisson: 1, delta: 0.00001 },
    },
    learningRate: 0.05,
    seconds: { train: 4, aggregate: 0.2, evaluate: 0.3 },
    evaluation: { model: hash('c'), test: hash('a'), examples: 200, loss, accuracy, seconds: 0.3 },
  };
}

/** The settings of a run that asks for nothing: those of `fedbatch run`. */
export const DEFAULT_SETTINGS: RunSettings = {
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'cnn' },
  engine: { name: 'auto' },
  training: { epochs: 2, batch: 100, optimizer: 'adam', learningRate: 0.001, momentum: 0.9 },
  federation: {
    clients: 3,
    rounds: 1,
    partition: { scheme: 'iid', minExamples: 1 },
    fraction: 1,
    minClients: 1,
  },
};

/** A run of so many clients. */
export function aRunRecord({ clients }: { readonly clients: number }): ReturnType<typeof newRunRecord> {
  const { training, federation } = DEFAULT_SETTINGS;
  const settings = {
    ...DEFAULT_SETTINGS,
    training: { ...training, epochs: 1 },
    federation: { ...federation, clients, rounds: 9 },
  };
  return newRunRecord({ id: 'x', settings, threads: 1, versions: { fedbatch: '0', node: '0' } });
}

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

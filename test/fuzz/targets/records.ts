/** Records on a volume and files of settings: the first line of an input says which of them follows. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { CLUSTER_SETTINGS, clusterSettings } from '../../../k8s/cluster-settings.js';
import { DataError } from '../../../lib/core/errors.js';
import { lockHolder, takeLock } from '../../../lib/formats/files/lock-file.js';
import { readManifest } from '../../../lib/formats/manifest.js';
import { openNoiseFile } from '../../../lib/formats/noise-file.js';
import { readRoundRecord, readRunRecord } from '../../../lib/formats/run-record.js';
import { recordedEvents } from '../../../lib/formats/runs/event-lines.js';
import { readRunStatus } from '../../../lib/formats/runs/run-status.js';
import { readSessions } from '../../../lib/formats/runs/sessions.js';
import { readDescription } from '../../../lib/formats/sources/description.js';
import { askedByFlagsAndFile } from '../../../lib/settings/config-file.js';
import { addSettings } from '../../../lib/settings/options.js';
import { SETTINGS } from '../../../lib/settings/table.js';
import { readFacts, runFactsSchema } from '../../../pipeline/record/facts.js';
import { findLabels } from '../../../server/models/model-records.js';
import { readSweepFile } from '../../../sweep/sweep-file.js';
import { readSweepRecord } from '../../../sweep/sweep-record.js';
import { DEFAULT_SETTINGS, sampleRecords } from '../../sample-records.js';
import { behindFirstLine, jsonValues, wordsOf } from '../reshape.js';
import { type MakeTarget, readAll } from '../target.js';

/** The name that a record has on its volume, and who reads it there. */
const READERS: Readonly<Record<string, (file: string, volume: string) => Promise<unknown>>> = {
  'run.json': (file, volume) =>
    readAll(
      () => readRunRecord(file),
      () => readRunStatus(volume),
    ),
  'round.json': readRoundRecord,
  'manifest.json': readManifest,
  'metrics.jsonl': (file, volume) =>
    readAll(
      () => readSessions(file),
      async () => {
        for await (const _ of recordedEvents(file));
      },
      () => readRunStatus(volume),
    ),
  '.lock': async (file) => {
    await lockHolder(file);
    (await takeLock(file)).release();
  },
  'data.yaml': readDescription,
  'config.yaml': async (file) => {
    const command = addSettings(new Command(), CLUSTER_SETTINGS).exitOverride();
    clusterSettings(
      await askedByFlagsAndFile(command.parse(['--config', file], { from: 'user' }), CLUSTER_SETTINGS),
    );
  },
  'sweep.yaml': (file) => readSweepFile(file, SETTINGS),
  'sweep.json': readSweepRecord,
  'noise.json': openNoiseFile,
  'facts.json': (file) => readFacts(file, runFactsSchema),
  'labels.txt': (file) =>
    findLabels({ modelPath: file, labelsPath: file, counts: [2], told: { classNames: undefined } }),
};

const EVENTS = [
  {
    event: 'start',
    time: '2026-01-01T00:00:00.000Z',
    schemaVersion: 1,
    id: 'a',
    settings: DEFAULT_SETTINGS,
    jobs: 1,
  },
  { event: 'update', time: '2026-01-01T00:00:01.000Z', round: 1, client: 0, examples: 5, loss: 0.5 },
  {
    event: 'round',
    time: '2026-01-01T00:00:02.000Z',
    round: 1,
    seconds: { train: 1, aggregate: 1, evaluate: 1 },
  },
  { event: 'evaluation', time: '2026-01-01T00:00:02.000Z', round: 1, examples: 5, loss: 0.5, accuracy: 0.5 },
  { event: 'end', time: '2026-01-01T00:00:03.000Z', seconds: { train: 1 } },
  { event: 'failure', time: '2026-01-01T00:00:03.000Z', message: 'x', exitCode: 3 },
];
const DESCRIPTION = {
  kind: 'table',
  source: 'x.csv',
  target: { column: 'y', as: 'labels', classes: ['a', 'b'] },
  inputs: { x: { columns: 'others', shape: [2] } },
  missing: { a: 'mean' },
};
const SWEEP = { grid: { 'training.learningRate': [0.1, 0.01] }, settings: { training: { epochs: 1 } } };
const LOCK = { pid: 999_999_999, host: 'elsewhere', since: '2026-01-01T00:00:00.000Z', nonce: 'ab' };

/** Any of them. */
export const records: MakeTarget = async (directory) => {
  const { run, rounds, manifest } = sampleRecords();
  const named = (name: string, text: string) => Buffer.from(`${name}\n${text}`);
  const json = (name: string, value: unknown) => named(name, JSON.stringify(value));
  const { dataset: _, ...settings } = DEFAULT_SETTINGS;
  return {
    seeds: [
      json('run.json', run),
      ...rounds.map((round) => json('round.json', round)),
      json('manifest.json', manifest),
      named('metrics.jsonl', EVENTS.map((event) => `${JSON.stringify(event)}\n`).join('')),
      ...EVENTS.map((event) => json('metrics.jsonl', event)),
      json('.lock', LOCK),
      json('.lock', null),
      named('data.yaml', stringify(DESCRIPTION)),
      json('data.yaml', DESCRIPTION),
      named('config.yaml', stringify(settings)),
      json('config.yaml', { training: { epochs: 2 }, federation: { clients: 3, partition: 'iid' } }),
      named('sweep.yaml', stringify(SWEEP)),
      json('sweep.yaml', SWEEP),
      json('noise.json', { schemaVersion: 1, key: 'ab'.repeat(32), draws: [{ round: 1, models: ['a'] }] }),
      json('facts.json', { id: 'a', settings: DEFAULT_SETTINGS, threads: 1, retries: 0 }),
      named('labels.txt', 'cat\ndog\n'),
    ],
    words: [
      ...wordsOf(
        ...Object.keys(READERS).map((name) => `${name}\n`),
        '"schemaVersion":',
        '&a',
        '*a',
        '<<: ',
        '!!set',
      ),
      ...wordsOf(
        '- ',
        ': ',
        '---\n',
        '"__proto__":',
        '{',
        '}',
        '[',
        ']',
        ',',
        'null',
        '\u0000',
        '"event":"round"',
        '!',
      ),
    ],
    reshape: behindFirstLine(jsonValues),
    async read(bytes) {
      const text = Buffer.from(bytes);
      const end = text.indexOf('\n');
      const name = text.toString('latin1', 0, Math.max(0, end));
      const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
      if (reader === undefined)
        throw new DataError({ file: 'input', expected: 'the name of a record', found: 'none' });
      const file = join(directory, name);
      await writeFile(file, text.subarray(end + 1));
      try {
        await reader(file, directory);
      } finally {
        await rm(file, { force: true });
      }
    },
  };
};

/** Honest clients beside attackers: how long each waits, quiet and while others send what is made to be slow. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { randomStream } from '../lib/core/random.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { formatBytes } from '../lib/observability/format.js';
import { blackPng } from '../test/hostile-files.js';
import { interleave } from './measure.js';
import { medianOf, percentileOf, type Table } from './report.js';
import { type BenchOptions, withDirectory } from './section.js';
import {
  formOf,
  type Load,
  sendLoad,
  serveArguments,
  withServer,
  writeBodies,
  writeModel,
} from './serve-load.js';

/** What honest clients met. */
interface AttackFigures {
  readonly predictP99Ms: number;
  readonly uploadP99Ms: number;
  readonly probeP99Ms: number;
  /** Answers to honest requests that were not 2xx, and requests without an answer. */
  readonly errors: number;
  readonly attacksPerSecond: number;
  readonly peakBytes: number;
}

const SECONDS = 8;
/** The paced loader's own warm-up goes before; attackers begin with it. */
const ATTACK_SECONDS = SECONDS + 4;
const HONEST = { predict: 50, upload: 25 };
const PROBE_EVERY_MS = 50;

interface Attack extends Load {
  readonly connections: number;
}

/** Each kind of attack, once with none. */
export async function benchAttack({ rounds, journal }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const model = await writeModel(directory);
    const honest = await writeBodies(directory);
    const attacks = await writeAttacks(directory);
    const sides = Object.fromEntries(
      Object.entries<Attack | undefined>({ none: undefined, ...attacks }).map(([name, attack]) => [
        name,
        () => measure(model, honest, attack),
      ]),
    );
    return attackTable(await interleave({ rounds, journal, name: 'attack' }, sides));
  });
}

/** A row for each kind of attackers. */
export function attackTable(samples: Readonly<Record<string, readonly AttackFigures[]>>): Table {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return {
    header: [
      'attackers',
      'p99 predict',
      'p99 upload',
      'p99 probe',
      'honest errors',
      'attacks answered a second',
      'peak memory',
    ],
    rows: Object.entries(samples).map(([name, each]) => [
      name,
      ms(medianOf(each, ({ predictP99Ms }) => predictP99Ms)),
      ms(medianOf(each, ({ uploadP99Ms }) => uploadP99Ms)),
      ms(medianOf(each, ({ probeP99Ms }) => probeP99Ms)),
      String(Math.max(...each.map(({ errors }) => errors))),
      Math.round(medianOf(each, ({ attacksPerSecond }) => attacksPerSecond)).toLocaleString('en'),
      formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
    ]),
    notes: [
      `Honest are ${HONEST.predict} predictions and ${HONEST.upload} small uploads a second, evenly, and a probe (/healthz) every ${PROBE_EVERY_MS} ms; attackers send as fast as they are answered. All of them on the same cores.`,
    ],
  };
}

async function measure(
  model: string,
  [predict, upload]: readonly [Load, Load],
  attack: Attack | undefined,
): Promise<AttackFigures> {
  const server = { command: process.execPath, args: serveArguments(model) };
  return withServer(server, async ({ url, memory }) => {
    const stop = new AbortController();
    const attacking =
      attack === undefined
        ? undefined
        : sendLoad(url, attack, { seconds: ATTACK_SECONDS, connections: attack.connections });
    const probing = probe(`${url}/healthz`, stop.signal);
    const [predicted, uploaded] = await Promise.all([
      sendLoad(url, predict, { seconds: SECONDS, connections: 8, rate: HONEST.predict }),
      sendLoad(url, upload, { seconds: SECONDS, connections: 8, rate: HONEST.upload }),
    ]);
    stop.abort();
    const probes = await probing;
    const attacked = await attacking;
    return {
      predictP99Ms: predicted.latency.p99,
      uploadP99Ms: uploaded.latency.p99,
      probeP99Ms: percentileOf(probes.ms, 0.99),
      errors: [predicted, uploaded].reduce((sum, each) => sum + each.non2xx + each.errors, probes.errors),
      attacksPerSecond: attacked?.requests.average ?? 0,
      peakBytes: memory().peak,
    };
  });
}

async function probe(url: string, signal: AbortSignal) {
  const ms: number[] = [];
  let errors = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    const isWell = await fetch(url).then(
      async (response) => response.ok && (await response.text()) !== '',
      () => false,
    );
    if (!isWell) errors++;
    ms.push(performance.now() - startedAt);
    await delay(PROBE_EVERY_MS);
  }
  return { ms, errors };
}

async function writeAttacks(directory: string): Promise<Readonly<Record<string, Attack>>> {
  const random = randomStream(1, 'attack-section');
  const dots = Uint8Array.from({ length: 512 * 512 }, () => (random.integer(0, 99) === 0 ? 0 : 255));
  const dotted = await sharp(dots, { raw: { width: 512, height: 512, channels: 1 } })
    .png()
    .toBuffer();
  const json = { path: '/v1/models/cnn:predict', type: 'application/json', connections: 8 };
  const form = { path: '/upload', type: 'multipart/form-data; boundary=edge', connections: 16 };
  const write = async (name: string, bytes: Uint8Array | string) => {
    await writeFileAtomic(join(directory, name), bytes);
    return join(directory, name);
  };
  return {
    '16 × a PNG of 1 × 40,000,000 pixels': {
      ...form,
      body: await write('column.form', formOf(await blackPng(1, 40_000_000))),
    },
    '16 × a PNG of 6,300 × 6,300 pixels': {
      ...form,
      body: await write('large.form', formOf(await blackPng(6_300, 6_300))),
    },
    '16 × a PNG full of dots': { ...form, body: await write('dots.form', formOf(dotted)) },
    '8 × 15 MB of brackets': {
      ...json,
      body: await write('brackets.json', '['.repeat(7_500_000) + ']'.repeat(7_500_000)),
    },
    '8 × 15 MB of numbers': {
      ...json,
      body: await write('numbers.json', `{"instances":[[${'0,'.repeat(7_499_000)}0]]}`),
    },
  };
}

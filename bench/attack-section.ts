/** Honest clients beside attackers: how long each waits and what the server keeps, quiet and while others send what is made to be slow, large or false. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
import { randomStream } from '../lib/core/random.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { formatBytes } from '../lib/observability/format.js';
import { serviceDefinition } from '../server/grpc/messages.js';
import { blackPng } from '../test/hostile-files.js';
import type { Answers, AttackersOptions } from './attackers.js';
import { interleave, sampleProcess } from './measure.js';
import type { KeptMemory } from './memory-probe.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, program, withDirectory } from './section.js';
import {
  formOf,
  type Load,
  PROBED,
  type RunningServer,
  sendLoad,
  serveArguments,
  withServer,
  writeBodies,
  writeModel,
} from './serve-load.js';

/** What honest clients met, and what became of the server. */
export interface AttackFigures {
  readonly predictP99Ms: number;
  readonly uploadP99Ms: number;
  readonly probeP99Ms: number;
  /** Answers to honest requests that were not 2xx, and requests without an answer. */
  readonly errors: number;
  /** What attackers were answered. */
  readonly answers: Answers;
  /** Kept once the garbage of a first, short attack was collected, and of the one that was measured. */
  readonly before: KeptMemory;
  readonly after: KeptMemory;
  readonly peakBytes: number;
}

const SECONDS = 6;
/** The paced loader's own warm-up goes before; attackers begin with it. */
const ATTACK_SECONDS = SECONDS + 4;
/** Whatever a server keeps of an attack for good (threads, the heap of them), it has after a short one. */
const FIRST_ATTACK_SECONDS = 2;
/** For those who were answered to go, and for what was begun to end: until memory falls no more, and no longer than the last. */
const REST_MS = 2_500;
const MOST_RESTS = 6;
const FALLS = 0.95;
/** A server without anything to do keeps less. */
const QUIET_HEAP_BYTES = 50e6;
const HONEST = { predict: 50, upload: 25, probe: 20 };

type Attacks = AttackersOptions['attacks'];

/** Each kind of attack, once with none. */
export async function benchAttack({ rounds, journal, only = '' }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const model = await writeModel(directory);
    const served = join(directory, 'served.h5');
    const honest = await writeBodies(directory);
    const attacks = await writeAttacks(directory, { model, served });
    const wanted = Object.entries(attacks).filter(([name]) => name.includes(only));
    const sides = Object.fromEntries(
      [['none', []] as const, ...wanted].map(([name, each]) => [
        name,
        async () => {
          await copyFile(model, served);
          return measure(served, honest, each);
        },
      ]),
    );
    return attackTable(await interleave({ rounds, journal, name: 'attack' }, sides));
  });
}

/** A row for each kind of attackers. */
export function attackTable(samples: Readonly<Record<string, readonly AttackFigures[]>>): Table {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const kept = (each: readonly AttackFigures[], bytesOf: (memory: KeptMemory) => number) => {
    const [before, after] = (['before', 'after'] as const).map((when) =>
      formatBytes(medianOf(each, (figures) => bytesOf(figures[when]))),
    );
    return `${before} → ${after}`;
  };
  return {
    header: [
      'attackers',
      'p99 predict',
      'p99 upload',
      'p99 probe',
      'honest errors',
      'what attackers were answered',
      'heap kept',
      'memory kept',
      'peak memory',
    ],
    rows: Object.entries(samples).map(([name, each]) => [
      name,
      ms(medianOf(each, ({ predictP99Ms }) => predictP99Ms)),
      ms(medianOf(each, ({ uploadP99Ms }) => uploadP99Ms)),
      ms(medianOf(each, ({ probeP99Ms }) => probeP99Ms)),
      String(Math.max(...each.map(({ errors }) => errors))),
      answersOf(each),
      kept(each, ({ heapBytes }) => heapBytes),
      kept(each, ({ residentBytes }) => residentBytes),
      formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
    ]),
    notes: [
      `Honest are ${HONEST.predict} predictions, ${HONEST.upload} small uploads and ${HONEST.probe} probes (/healthz) a second, each sent when it is due, from when its time counts. Attackers are a process of their own and send as fast as they are answered. All of them on the same cores.`,
      `Kept is what is left after its garbage was collected, once it falls no more, after an attack of ${FIRST_ATTACK_SECONDS} s and after the one of ${ATTACK_SECONDS} s that was measured: of objects and their buffers, and of the whole process.`,
    ],
  };
}

/** All rounds together, the most frequent first. */
function answersOf(each: readonly AttackFigures[]): string {
  const total = new Map<string, number>();
  for (const { answers } of each)
    for (const [answer, count] of Object.entries(answers))
      total.set(answer, (total.get(answer) ?? 0) + count);
  return [...total]
    .sort(([, one], [, other]) => other - one)
    .map(([answer, count]) => `${answer}: ${count.toLocaleString('en')}`)
    .join(', ');
}

async function measure(
  model: string,
  [predict, upload]: readonly [Load, Load],
  attacks: Attacks,
): Promise<AttackFigures> {
  const more = ['--grpc-port', '0', '--reload-interval', '0.2'];
  const server = { command: process.execPath, args: [...PROBED, ...serveArguments(model), ...more] };
  return withServer(server, async (running) => {
    const { url, memory } = running;
    await attack(running, attacks, FIRST_ATTACK_SECONDS);
    const before = await rested(running);
    const attacking = attack(running, attacks, ATTACK_SECONDS);
    const honest = (load: Load, rate: number) =>
      sendLoad(url, load, { seconds: SECONDS, connections: 8, rate });
    const [predicted, uploaded, probed] = await Promise.all([
      honest(predict, HONEST.predict),
      honest(upload, HONEST.upload),
      honest({ path: '/healthz' }, HONEST.probe),
    ]);
    const answers = await attacking;
    return {
      predictP99Ms: predicted.latency.p99,
      uploadP99Ms: uploaded.latency.p99,
      probeP99Ms: probed.latency.p99,
      errors: [predicted, uploaded, probed].reduce((sum, each) => sum + each.non2xx + each.errors, 0),
      answers,
      before,
      after: await rested(running),
      peakBytes: memory().peak,
    };
  });
}

/** What the server keeps once it has nothing to do any more. */
async function rested({ kept }: RunningServer): Promise<KeptMemory> {
  let last: KeptMemory | undefined;
  for (let rest = 0; ; rest++) {
    await delay(REST_MS);
    const now = await kept();
    if (rest === MOST_RESTS || (last !== undefined && now.heapBytes > FALLS * last.heapBytes)) return now;
    // A server that is quiet at once need not be asked twice.
    if (now.heapBytes < QUIET_HEAP_BYTES) return now;
    last = now;
  }
}

async function attack(
  { url, grpcAddress }: RunningServer,
  attacks: Attacks,
  seconds: number,
): Promise<Answers> {
  if (attacks.length === 0) return {};
  const options: AttackersOptions = { url, grpcAddress, seconds, attacks };
  const { stdout } = await sampleProcess(process.execPath, [
    program('bench/attackers'),
    JSON.stringify(options),
  ]);
  return JSON.parse(stdout) as Answers;
}

const MEGABYTES_15 = 15_000_000;
/** As many bytes as 15 MB have room for, in between what is given. */
const filled = (begin: string, part: string, end: string) =>
  begin + part.repeat((MEGABYTES_15 - begin.length - end.length) / part.length) + end;

/** The attacks; what they send lies in the directory. */
async function writeAttacks(
  directory: string,
  { model, served }: { readonly model: string; readonly served: string },
): Promise<Readonly<Record<string, Attacks>>> {
  const write = async (name: string, bytes: Uint8Array | string) => {
    await writeFileAtomic(join(directory, name), bytes);
    return join(directory, name);
  };
  const predict = { path: '/v1/models/cnn:predict', type: 'application/json' };
  const upload = { path: '/upload', type: 'multipart/form-data; boundary=edge' };
  const picture = async (name: string, bytes: Uint8Array, connections: number): Promise<Attacks> => {
    const file = await write(`${name}.form`, formOf(bytes));
    return [{ kind: 'bodies', ...upload, file, connections }];
  };
  const json = async (name: string, text: string): Promise<Attacks> => {
    const file = await write(`${name}.json`, text);
    return [{ kind: 'bodies', ...predict, file, connections: 8 }];
  };
  const numbers = await json('numbers', filled('{"instances":[[', '0,', '0]]}'));
  const photo = formOf(await noise(1_280));
  const other = await writeModel(directory, { name: 'other.h5', seed: 2 });
  return {
    '600 × a head that never ends': [{ kind: 'slow heads', connections: 600 }],
    '300 × half a large body, then a byte now and then': [
      {
        kind: 'slow bodies',
        ...predict,
        file: join(directory, 'numbers.json'),
        atOnce: 7_500_000,
        connections: 150,
      },
      {
        kind: 'slow bodies',
        ...upload,
        file: await write('photo.form', photo),
        atOnce: 2_500_000,
        connections: 150,
      },
    ],
    '500 × a PNG of 5 MB': [
      { kind: 'bodies', ...upload, file: join(directory, 'photo.form'), connections: 500 },
    ],
    '16 × a body without end': [
      { kind: 'endless bodies', ...predict, head: '{"instances":[[', connections: 8 },
      {
        kind: 'endless bodies',
        ...upload,
        head: '--edge\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n',
        connections: 8,
      },
    ],
    '16 × a PNG of 1 × 40,000,000 pixels': await picture('column', await blackPng(1, 40_000_000), 16),
    '16 × a PNG of 6,300 × 6,300 pixels': await picture('large', await blackPng(6_300, 6_300), 16),
    '16 × a PNG full of dots': await picture('dots', await dots(512), 16),
    '8 × 15 MB of brackets': await json('brackets', '['.repeat(7_500_000) + ']'.repeat(7_500_000)),
    '8 × 15 MB of numbers': numbers,
    '8 × 15 MB of numbers of 300 digits': await json(
      'digits',
      filled('{"instances":[[', `${'9'.repeat(300)},`, '0]]}'),
    ),
    '8 × 15 MB of one key': await json('keys', filled('{', '"instances":[],', '"instances":[]}')),
    '8 × a call with a tensor of 50,000 dimensions': [
      { kind: 'messages', file: await write('dimensions.bin', manyDimensions(50_000)), connections: 8 },
    ],
    '8 × calls taken back at once': [{ kind: 'resets', connections: 8 }],
    '16 × two hosts, 16 × a foreign one': [
      { kind: 'heads', lines: ['Host: localhost', 'Host: evil.example'], connections: 16 },
      { kind: 'heads', lines: ['Host: evil.example'], connections: 16 },
    ],
    'another model 5 times a second': [
      { kind: 'reloads', model: served, files: [other, model], connections: 1 },
    ],
  };
}

/** A PNG that holds nothing that could be packed: of 1,280 pixels a side just below 5 MB. */
async function noise(side: number): Promise<Buffer> {
  const random = randomStream(1, 'attack-section', 'noise');
  const values = Uint8Array.from({ length: side * side * 3 }, () => random.integer(0, 255));
  return sharp(values, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

/** Each dot may be a digit. */
async function dots(side: number): Promise<Buffer> {
  const random = randomStream(1, 'attack-section');
  const values = Uint8Array.from({ length: side * side }, () => (random.integer(0, 99) === 0 ? 0 : 255));
  return sharp(values, { raw: { width: side, height: side, channels: 1 } })
    .png()
    .toBuffer();
}

function manyDimensions(count: number): Uint8Array {
  const { Predict } = serviceDefinition('tensorflow.serving.PredictionService');
  const dim = Array.from({ length: count }, () => ({ size: 1 }));
  const tensor = { dtype: 1, tensor_shape: { dim }, float_val: [0] };
  const request = { model_spec: { name: 'cnn' }, inputs: { x: tensor } };
  return Predict?.requestSerialize(request) ?? new Uint8Array();
}

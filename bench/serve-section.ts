/** Predictions a second over HTTP on loopback, the loader on the same cores; beside Flask with Keras on the same model. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { initialWeights } from '../lib/engine/initial-weights.js';
import { kerasConfig } from '../lib/engine/keras-model.js';
import { describeModel } from '../lib/engine/model-zoo.js';
import { randomStream } from '../lib/federation/random.js';
import { writeFileAtomic } from '../lib/formats/atomic-file.js';
import { writeKerasFile } from '../lib/formats/keras-hdf5.js';
import { formatBytes } from '../lib/observability/format.js';
import { digitPng } from '../server/testing/segment-digits.js';
import type { LoadOptions } from './load.js';
import { interleave, sampleProcess } from './measure.js';
import { availablePeers, prepareFlask } from './peers.js';
import { formatRatio, type Table } from './report.js';
import { type BenchOptions, peerScript, program, withDirectory } from './section.js';
import { medianOf, ratioByRound } from './statistics.js';

/** What one server did under load. */
export interface ServeFigures {
  readonly perSecond: number;
  /** At half of the reached load. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for each request: what other programs on the machine cannot change much. */
  readonly cpuMs: number;
  readonly peakBytes: number;
}

const CONNECTIONS = 32;
const WARM_UP_SECONDS = 3;
const SECONDS = 8;
/** Of the kernel's clock, in which it counts processor time: 100 a second on Linux. */
const TICK_MS = 10;

/** What is sent, to which server. */
interface Load {
  readonly what: string;
  readonly path: string;
  readonly body: string;
  readonly type: string;
}

/** JSON predictions on both sides, uploads of small PNGs on ours. */
export async function benchServe({ rounds, journal }: BenchOptions): Promise<Table> {
  const { peers, notes } = await availablePeers({ flask: prepareFlask });
  const { flask } = peers;
  return withDirectory(async (directory) => {
    const model = await writeModel(directory);
    const [predict, upload] = await writeBodies(directory);
    const ours = [program('server/cli'), '--model', model, '--port', '0', '--name', 'cnn'];
    const theirs = [peerScript('flask_server.py'), '--model', model];
    const sides: Record<string, () => Promise<ServeFigures>> = {
      'predict, fedbatch': () => measure(process.execPath, ours, predict),
      ...(flask === undefined
        ? {}
        : { [`predict, ${flask.name}`]: () => measure(flask.command, theirs, predict) }),
      'upload a PNG, fedbatch': () => measure(process.execPath, ours, upload),
    };
    return {
      header: [
        'request, server',
        'a second',
        'fedbatch is',
        'median at half load',
        'p99 at half load',
        'CPU a request',
        'peak memory',
      ],
      rows: serveRows(await interleave({ rounds, journal, name: 'serve' }, sides)),
      notes: [
        ...notes,
        `One 28×28 picture a request, ${CONNECTIONS} connections kept alive, autocannon on the same cores; the CNN.`,
      ],
    };
  });
}

/** A row for each side; the speed of `fedbatch` as a multiple of the other server's, round by round. */
export function serveRows(samples: Readonly<Record<string, readonly ServeFigures[]>>): readonly string[][] {
  const speeds = (side: string) => (samples[side] ?? []).map(({ perSecond }) => perSecond);
  return Object.entries(samples).map(([side, each]) => [
    side,
    Math.round(medianOf(each, ({ perSecond }) => perSecond)).toLocaleString('en'),
    side.endsWith('fedbatch')
      ? ''
      : `${formatRatio(ratioByRound(speeds('predict, fedbatch'), speeds(side)))} as fast`,
    `${medianOf(each, ({ p50Ms }) => p50Ms)} ms`,
    `${medianOf(each, ({ p99Ms }) => p99Ms)} ms`,
    `${medianOf(each, ({ cpuMs }) => cpuMs).toFixed(2)} ms`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}

async function writeModel(directory: string): Promise<string> {
  const path = join(directory, 'cnn.h5');
  const description = describeModel('cnn', { inputShape: [28, 28, 1], classes: 10 });
  const weights = initialWeights(description, 1);
  await writeKerasFile(path, { modelConfig: kerasConfig(description), kerasVersion: '2.2.4-tf', weights });
  return path;
}

async function writeBodies(directory: string): Promise<readonly [predict: Load, upload: Load]> {
  const random = randomStream(1, 'serve-section');
  const row = () =>
    Array.from({ length: 28 }, () => [random.integer(0, 4) > 0 ? 0 : random.integer(1, 9_999) / 10_000]);
  const json = JSON.stringify({ instances: [Array.from({ length: 28 }, row)] });
  const form = Buffer.concat([
    Buffer.from('--edge\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n'),
    await digitPng(7),
    Buffer.from('\r\n--edge--\r\n'),
  ]);
  const write = async (name: string, bytes: Uint8Array | string) => {
    await writeFileAtomic(join(directory, name), bytes);
    return join(directory, name);
  };
  return [
    {
      what: 'predict',
      path: '/v1/models/cnn:predict',
      body: await write('predict.json', json),
      type: 'application/json',
    },
    {
      what: 'upload',
      path: '/upload',
      body: await write('upload.form', form),
      type: 'multipart/form-data; boundary=edge',
    },
  ];
}

async function measure(command: string, args: readonly string[], load: Load): Promise<ServeFigures> {
  const server = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  try {
    const url = await listening(server);
    await drive(url, load, WARM_UP_SECONDS);
    const before = cpuMs(server);
    const full = await drive(url, load, SECONDS);
    const used = cpuMs(server) - before;
    const half = await drive(url, load, SECONDS, Math.max(1, Math.round(full.requests.average / 2)));
    return {
      perSecond: full.requests.average,
      p50Ms: half.latency.p50,
      p99Ms: half.latency.p99,
      cpuMs: used / full.requests.total,
      peakBytes:
        Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    };
  } finally {
    const ended = new Promise((resolve) => server.once('close', resolve));
    server.kill('SIGTERM');
    await ended;
  }
}

async function listening(server: ChildProcess): Promise<string> {
  if (server.stdout === null) throw new Error('the server has no output');
  for await (const line of createInterface(server.stdout)) {
    const url = /^Listening on (http:\S+)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the server did not come up');
}

/** Processor time of a process so far: fields 14 and 15 of its stat, after the name in brackets. */
function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

const loadSchema = z.object({
  requests: z.object({ average: z.number(), total: z.number() }),
  latency: z.object({ p50: z.number(), p99: z.number() }),
  non2xx: z.literal(0),
  errors: z.literal(0),
});

/** Loads a server, by default as much as it takes. @throws where any answer is not 2xx */
async function drive(url: string, { path, body, type }: Load, seconds: number, rate?: number) {
  const file = body;
  const options: LoadOptions = { url: url + path, file, type, connections: CONNECTIONS, seconds, rate };
  const { stdout } = await sampleProcess(process.execPath, [program('bench/load'), JSON.stringify(options)]);
  return loadSchema.parse(JSON.parse(stdout));
}

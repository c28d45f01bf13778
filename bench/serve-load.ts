/** What the measurements of the server share: its model, what is sent, the server's process, and the loader's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { randomStream } from '../lib/core/random.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';
import { usageOfProcess } from '../lib/system/processes.js';
import { digitPng } from '../server/testing/segment-digits.js';
import type { LoadOptions } from './load.js';
import { sampleProcess } from './measure.js';
import type { KeptMemory } from './memory-probe.js';
import { program } from './section.js';

export const CONNECTIONS = 32;

/** What is sent, to which address. */
export interface Load {
  readonly path: string;
  /** The file with the body of every request; without one they are GETs. */
  readonly body?: string;
  readonly type?: string;
}

/** The command line of `fedbatch serve` for `model`, without the interpreter. */
export const serveArguments = (model: string, find = program): readonly string[] => [
  ...[find('server/cli'), '--model', model],
  ...['--port', '0', '--name', 'cnn'],
];

/** A server that listens. */
export interface RunningServer {
  readonly url: string;
  /** Where it answers gRPC; empty where it does not. */
  readonly grpcAddress: string;
  /** Processor time so far, in milliseconds. */
  readonly cpuMs: () => number;
  /** Resident memory in bytes: now, and the most so far. */
  readonly memory: () => { readonly now: number; readonly peak: number };
  /** What it keeps once its garbage is collected; only of a server that runs with `PROBED`. */
  readonly kept: () => Promise<KeptMemory>;
}

/** Arguments of the interpreter, for a server that is asked what memory it keeps. */
export const PROBED: readonly string[] = ['--expose-gc', '--import', program('bench/memory-probe')];

/** Starts a server, lends it, ends it. */
export async function withServer<T>(
  { command, args }: { readonly command: string; readonly args: readonly string[] },
  use: (server: RunningServer) => Promise<T>,
): Promise<T> {
  const isProbed = PROBED.every((each) => args.includes(each));
  const server = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'ignore', ...(isProbed ? (['ipc'] as const) : [])],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  try {
    const isGrpc = args.includes('--grpc-port');
    return await use({
      ...(await listening(server, isGrpc)),
      cpuMs: () => cpuMs(server),
      memory: () => ({ now: memoryOf(server, 'VmRSS'), peak: memoryOf(server, 'VmHWM') }),
      kept: () => keptBy(server),
    });
  } finally {
    const ended = new Promise((resolve) => server.once('close', resolve));
    server.kill('SIGTERM');
    await ended;
  }
}

/** Writes the default CNN, untrained. */
export async function writeModel(
  directory: string,
  { name = 'cnn.h5', seed = 1 }: { readonly name?: string; readonly seed?: number } = {},
): Promise<string> {
  const path = join(directory, name);
  const description = describeModel('cnn', { inputShape: [28, 28, 1], outputs: 10 });
  const weights = initialWeights(description, seed);
  await writeKerasFile(path, { modelConfig: kerasConfig(description), kerasVersion: '2.2.4-tf', weights });
  return path;
}

/** A picture in a form, whose boundary is `edge`. */
export function formOf(picture: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from('--edge\r\nContent-Disposition: form-data; name="file"; filename="7.png"\r\n\r\n'),
    picture,
    Buffer.from('\r\n--edge--\r\n'),
  ]);
}

/** Writes a prediction of one picture as JSON, and an upload of a small PNG. */
export async function writeBodies(directory: string): Promise<readonly [predict: Load, upload: Load]> {
  const random = randomStream(1, 'serve-section');
  const row = () =>
    Array.from({ length: 28 }, () => [random.integer(0, 4) > 0 ? 0 : random.integer(1, 9_999) / 10_000]);
  const json = JSON.stringify({ instances: [Array.from({ length: 28 }, row)] });
  const form = formOf(await digitPng(7));
  const write = async (name: string, bytes: Uint8Array | string) => {
    await writeFileAtomic(join(directory, name), bytes);
    return join(directory, name);
  };
  return [
    {
      path: '/v1/models/cnn:predict',
      body: await write('predict.json', json),
      type: 'application/json',
    },
    {
      path: '/upload',
      body: await write('upload.form', form),
      type: 'multipart/form-data; boundary=edge',
    },
  ];
}

async function listening(
  server: ChildProcess,
  isGrpc: boolean,
): Promise<Pick<RunningServer, 'url' | 'grpcAddress'>> {
  if (server.stdout === null) throw new Error('the server has no output');
  let [url, grpcAddress] = ['', ''];
  for await (const line of createInterface(server.stdout)) {
    url = /^Listening on (http:\S+)$/.exec(line)?.[1] ?? url;
    grpcAddress = /^Listening for gRPC on (\S+)$/.exec(line)?.[1] ?? grpcAddress;
    if (url !== '' && (!isGrpc || grpcAddress !== '')) return { url, grpcAddress };
  }
  throw new Error('the server did not come up');
}

function keptBy(server: ChildProcess): Promise<KeptMemory> {
  return new Promise((resolve, reject) => {
    server.once('message', (kept) => resolve(kept as KeptMemory));
    server.once('close', () => reject(new Error('the server ended')));
    server.send('collect');
  });
}

/** Processor time of a process so far. */
const cpuMs = ({ pid }: ChildProcess): number => usageOfProcess(pid).cpuMs;

function memoryOf({ pid }: ChildProcess, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
}

const loadSchema = z.object({
  requests: z.object({ average: z.number(), total: z.number() }),
  latency: z.object({ p50: z.number(), p99: z.number() }),
  non2xx: z.number(),
  errors: z.number(),
});

/** How a load is sent. */
interface Pace {
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second, evenly; as many as are answered where nothing stands here. */
  readonly rate?: number | undefined;
}

/** Sends a load, whatever is answered. */
export async function sendLoad(url: string, { path, body, type }: Load, pace: Pace) {
  const options: LoadOptions = {
    url: url + path,
    ...(body === undefined ? {} : { file: body }),
    type,
    ...pace,
  };
  const { stdout } = await sampleProcess(process.execPath, [program('bench/load'), JSON.stringify(options)]);
  return loadSchema.parse(JSON.parse(stdout));
}

/** Loads a server, by default as much as it takes. @throws where any answer is not 2xx */
export async function drive(url: string, load: Load, seconds: number, rate?: number) {
  const result = await sendLoad(url, load, { seconds, connections: CONNECTIONS, rate });
  const { non2xx, errors } = result;
  if (non2xx + errors > 0) throw new Error(`${load.path}: ${non2xx} answers were not 2xx, ${errors} failed`);
  return result;
}

/** A running application for tests: the real model file, worker, app and sockets, in a directory of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ListenOptions, listenAt } from '../../lib/http/listen.js';
import { silentReporter } from '../../lib/observability/events.js';
import { type AppOptions, createWebApp } from '../app.js';
import type { GrpcOptions, RunningGrpcServer } from '../grpc/grpc-server.js';
import type { Predictor } from '../models/predictor.js';
import { singleModel } from '../models/served-models.js';
import { createWorkerPredictor } from '../models/worker-predictor.js';
import { OPEN_ACCESS } from '../operations/access.js';
import { createMetrics } from '../operations/metrics.js';
import type { Sample } from '../pictures/samples.js';
import { writePrototypeModel } from './prototype-model.js';
import { digitPng } from './segment-digits.js';

/** What a test has to do with. */
export interface ServedApp {
  readonly url: string;
  readonly modelPath: string;
  readonly sha256: string;
  readonly predictor: Predictor;
  readonly samples: readonly Sample[];
  close(): Promise<void>;
}

/** Serves the calculator-digit model on a free port. */
export async function serveApp(
  options: Partial<AppOptions> & Pick<ListenOptions, 'headersTimeoutMs'> = {},
): Promise<ServedApp> {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  const modelPath = join(directory, 'aggregated-model.h5');
  const sha256 = await writePrototypeModel(modelPath);
  const predictor = options.predictor ?? (await createWorkerPredictor({ modelPath, threads: 1 }));
  const samples = await Promise.all(
    Array.from({ length: 10 }, async (_, digit) => ({
      name: `digit-${digit}.png`,
      label: String(digit),
      isPackaged: true,
      png: await digitPng(digit),
    })),
  );
  const { headersTimeoutMs } = options;
  const server = await listenAt(createWebApp({ samples, ...options, predictor }), {
    host: '127.0.0.1',
    port: 0,
    ...(headersTimeoutMs === undefined ? {} : { headersTimeoutMs }),
  });
  return {
    url: server.url,
    modelPath,
    sha256,
    predictor,
    samples,
    async close() {
      await server.close();
      await predictor.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What `/upload` answers in JSON. */
export interface UploadAnswer {
  readonly prediction: number | null;
  readonly probabilities: readonly number[];
  readonly digits: readonly { readonly prediction: number; readonly line: number }[];
  readonly lines: readonly string[];
  readonly message?: string;
  readonly pixels: readonly (readonly number[])[];
  readonly blank?: boolean;
  readonly error?: string;
}

/** Uploads bytes as a form does. */
export function upload(
  url: string,
  bytes: Uint8Array,
  { field = 'file', name = 'digit.png', accept = 'application/json' } = {},
): Promise<Response> {
  const body = new FormData();
  body.append(field, new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
  return fetch(`${url}/upload`, { method: 'POST', body, headers: { Accept: accept } });
}

/** Serves what `predictor` answers on a free port. */
export async function serveGrpc(
  predictor: Predictor,
  options: Partial<GrpcOptions> = {},
): Promise<RunningGrpcServer> {
  const usual = {
    models: singleModel(predictor, 'digits'),
    access: OPEN_ACCESS,
    metrics: createMetrics(),
    reporter: silentReporter,
    trustedProxies: 0,
    logsRequests: false,
  };
  const { startGrpc } = await import('../grpc/grpc-server.js');
  return startGrpc({ ...usual, ...options }, { host: '127.0.0.1', port: 0 });
}

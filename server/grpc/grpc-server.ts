/** The gRPC port: TensorFlow Serving's services and the health check, with the server's own limits and credentials. */
import { lookup } from 'node:dns/promises';
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { type ListenOptions, listenProblem, REQUEST_TIMEOUT_MS } from '../../lib/http/listen.js';
import { HttpProblem } from '../../lib/http/problems.js';
import type { Reporter } from '../../lib/observability/events.js';
import { DEFAULT_BODY_LIMITS } from '../api/exchange.js';
import { type Codecs, createCodecs } from '../codecs/codecs.js';
import { createRoom, type Room } from '../held-bytes.js';
import type { ServedModels } from '../models/served-models.js';
import type { Access } from '../operations/access.js';
import { createGuard, type RateLimit } from '../operations/guard.js';
import { createObserver, type ObserverOptions } from '../operations/observer.js';
import { createGrpcFront, REQUEST_ID } from './grpc-front.js';
import { serviceDefinition } from './messages.js';
import { answerPredict, getModelMetadata, getModelStatus } from './prediction-service.js';
import { refuseResets } from './resets.js';
import { toStatus } from './status.js';

/** What answers on the port. */
export interface GrpcOptions extends ObserverOptions {
  readonly models: ServedModels;
  /** Reads large messages; its own by default. */
  readonly codecs?: Codecs;
  readonly access: Access;
  readonly rateLimit?: RateLimit;
  /** Proxies in front whose `x-forwarded-for` is believed. */
  readonly trustedProxies: number;
  /** How long a client may take for its message. */
  readonly messageTimeoutMs?: number;
  /** Room for messages; its own by default. */
  readonly bodyRoom?: Room;
}

/** A gRPC server that takes calls. */
export interface RunningGrpcServer {
  /** E.g. `127.0.0.1:8500`. */
  readonly address: string;
  /** Lets running calls finish within the grace period, then ends them. */
  close(): Promise<void>;
}

/** As for HTTP: less than the program's own grace. */
const DRAIN_MS = 4_000;
/** Connections that keep silent are asked whether they are still there. */
const KEEPALIVE_MS = 60_000;
const MAX_STREAMS = 1_000;
/** Questions about models hold a few names; millions of them fit into a message. */
const MOST_ASKED_BYTES = 4_096;
// What fails is told by errors; the library would write to stderr too.
setLogVerbosity(logVerbosity.NONE);

/** Listens. @throws {UsageError} when the port cannot be had */
export async function startGrpc(
  options: GrpcOptions,
  { host, port, tls }: ListenOptions,
): Promise<RunningGrpcServer> {
  const { models, reporter, trustedProxies, codecs = createCodecs() } = options;
  const { messageTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const { maxBodyBytes, maxHeldBytes } = DEFAULT_BODY_LIMITS;
  const front = {
    guard: createGuard(options),
    observe: createObserver(options),
    trustedProxies,
    messageTimeoutMs,
    room: options.bodyRoom ?? createRoom(maxHeldBytes),
    maxMessageBytes: maxBodyBytes,
  };
  const server = new Server({
    'grpc.max_receive_message_length': maxBodyBytes,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    // Nobody asks for these figures, which are kept of each call.
    'grpc.enable_channelz': 0,
    interceptors: [createGrpcFront(front)],
  });
  // All messages are bytes here: what is large in those of Predict is read elsewhere, and all others have to be small.
  const prediction = serviceDefinition('tensorflow.serving.PredictionService');
  server.addService(inBytes(prediction), {
    Predict: unary((message) => answerPredict({ models, codecs }, message), reporter),
    GetModelMetadata: unary(
      (message) => getModelMetadata(models, readSmall(prediction.GetModelMetadata, message)),
      reporter,
    ),
  });
  const model = serviceDefinition('tensorflow.serving.ModelService');
  server.addService(inBytes(model), {
    GetModelStatus: unary(
      (message) => getModelStatus(models, readSmall(model.GetModelStatus, message)),
      reporter,
    ),
  });
  server.addService(inBytes(serviceDefinition('grpc.health.v1.Health')), {
    Check: unary(() => ({ status: models.card() === undefined ? 'NOT_SERVING' : 'SERVING' }), reporter),
  });
  const bound = await bind(server, { host, port, ...(tls === undefined ? {} : { tls }) });
  refuseResets(server, { trustedProxies });
  return { address: `${host}:${bound}`, close: () => drain(server) };
}

/** The same service, whose requests are the bytes of their messages, and so is the answer of Predict. */
function inBytes(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => {
    const answers = name === 'Predict' ? { responseSerialize: asBuffer } : {};
    return [name, { ...method, requestDeserialize: (bytes: Buffer) => bytes, ...answers }] as const;
  });
  return Object.fromEntries(methods);
}

/** Makes objects of the message of a question about models. @throws {HttpProblem} 400 */
function readSmall<Message>(method: ServiceDefinition[string] | undefined, message: Buffer): Message {
  if (message.length > MOST_ASKED_BYTES)
    throw new HttpProblem(
      400,
      `Expected a message of at most ${MOST_ASKED_BYTES} bytes, found ${message.length}.`,
    );
  try {
    return method?.requestDeserialize(message) as Message;
  } catch (cause) {
    throw new HttpProblem(400, 'Expected a message of this method, found bytes that are none.', { cause });
  }
}

/** A handler of one request and one answer; what it throws becomes a status. */
function unary(answer: (message: Buffer) => Promise<object> | object, reporter: Reporter) {
  return async (call: ServerUnaryCall<Buffer, object>, done: sendUnaryData<object>) => {
    try {
      done(null, await answer(call.request));
    } catch (error) {
      const failed = toStatus(error);
      if (failed.code !== status.INTERNAL) return done(failed);
      reporter.error(`A call failed: ${failed.details}`, {
        requestId: call.metadata.get(REQUEST_ID)[0],
        path: call.getPath(),
        stack: error instanceof Error ? error.stack : '',
      });
      done({ ...failed, details: 'Something went wrong in the server; its log says more.' });
    }
  };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Listens on one address, the one that HTTP takes too: of a name's several, gRPC would be content with any. */
async function bind(server: Server, { host, port, tls }: ListenOptions): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) },
        ]);
  try {
    const { address, family } = await lookup(host);
    return await new Promise((resolve, reject) => {
      server.bindAsync(`${family === 6 ? `[${address}]` : address}:${port}`, credentials, (cause, bound) =>
        cause === null ? resolve(bound) : reject(cause),
      );
    });
  } catch (cause) {
    throw listenProblem(cause, { host, port, flags: { port: '--grpc-port', host: '--host' } });
  }
}

async function drain(server: Server): Promise<void> {
  const late = setTimeout(() => server.forceShutdown(), DRAIN_MS);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(late);
}

/** The gRPC port: TensorFlow Serving's services and the health check, with the server's own limits and credentials. */
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { UsageError } from '../../lib/federation/errors.js';
import type { Reporter } from '../../lib/observability/events.js';
import { DEFAULT_BODY_LIMITS } from '../api/exchange.js';
import type { ListenOptions } from '../listen.js';
import type { ServedModels } from '../models/served-models.js';
import type { Access } from '../operations/access.js';
import { OverloadedError, PredictorUnavailableError } from '../predictor.js';
import { HttpProblem } from '../problems.js';
import type { TlsFiles } from '../tls.js';
import { serviceDefinition } from './messages.js';
import { getModelMetadata, getModelStatus, predict } from './prediction-service.js';

/** What answers on the port. */
export interface GrpcOptions {
  readonly models: ServedModels;
  readonly access: Access;
  readonly reporter: Reporter;
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

/** Listens. @throws {UsageError} when the port cannot be had */
export async function startGrpc(
  { models, access, reporter }: GrpcOptions,
  { host, port, tls }: ListenOptions,
): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': DEFAULT_BODY_LIMITS.maxBodyBytes,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
  });
  const guarded = <Request>(answer: (request: Request) => Promise<object> | object) =>
    unary<Request>(async (request, metadata) => {
      requireAccess(access, metadata);
      return answer(request);
    }, reporter);
  server.addService(serviceDefinition('tensorflow.serving.PredictionService'), {
    Predict: guarded((request: Parameters<typeof predict>[1]) => predict(models, request)),
    GetModelMetadata: guarded((request: Parameters<typeof getModelMetadata>[1]) =>
      getModelMetadata(models, request),
    ),
  });
  server.addService(serviceDefinition('tensorflow.serving.ModelService'), {
    GetModelStatus: guarded((request: Parameters<typeof getModelStatus>[1]) =>
      getModelStatus(models, request),
    ),
  });
  server.addService(serviceDefinition('grpc.health.v1.Health'), {
    Check: unary(() => ({ status: models.card() === undefined ? 'NOT_SERVING' : 'SERVING' }), reporter),
  });
  const bound = await bind(server, `${host.includes(':') ? `[${host}]` : host}:${port}`, tls);
  return { address: `${host}:${bound}`, close: () => drain(server) };
}

function requireAccess(access: Access, metadata: Metadata): void {
  const [authorization] = metadata.get('authorization');
  if (!access.allows(authorization?.toString()))
    throw new HttpProblem(401, 'Expected credentials, found none that are known.');
}

/** A handler of one request and one answer; what it throws becomes a status. */
function unary<Request>(
  answer: (request: Request, metadata: Metadata) => Promise<object> | object,
  reporter: Reporter,
) {
  return async (call: ServerUnaryCall<Request, object>, done: sendUnaryData<object>) => {
    try {
      done(null, await answer(call.request, call.metadata));
    } catch (error) {
      const { code, details } = toStatus(error);
      if (code === status.INTERNAL)
        reporter.error(`A call failed: ${details}`, {
          path: call.getPath(),
          stack: error instanceof Error ? error.stack : '',
        });
      done({
        code,
        details:
          code === status.INTERNAL ? 'Something went wrong in the server; its log says more.' : details,
      });
    }
  };
}

const CODES: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  404: status.NOT_FOUND,
  503: status.UNAVAILABLE,
};

function toStatus(error: unknown): Pick<ServiceError, 'code' | 'details'> {
  const details = error instanceof Error ? error.message : String(error);
  if (error instanceof OverloadedError) return { code: status.RESOURCE_EXHAUSTED, details };
  if (error instanceof PredictorUnavailableError) return { code: status.UNAVAILABLE, details };
  const code = error instanceof HttpProblem ? CODES[error.status] : undefined;
  return { code: code ?? status.INTERNAL, details };
}

function bind(server: Server, address: string, tls: TlsFiles | undefined): Promise<number> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) },
        ]);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause === null) return resolve(port);
      reject(
        new UsageError(`${address} cannot be had for gRPC; choose another with --grpc-port.`, { cause }),
      );
    });
  });
}

async function drain(server: Server): Promise<void> {
  const late = setTimeout(() => server.forceShutdown(), DRAIN_MS);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(late);
}

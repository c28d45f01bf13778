/** A gRPC port for tests, on loopback: the model `digits`, open to all unless told otherwise. */
import { silentReporter } from '../../lib/observability/events.js';
import { type GrpcOptions, type RunningGrpcServer, startGrpc } from '../grpc/grpc-server.js';
import { singleModel } from '../models/served-models.js';
import { OPEN_ACCESS } from '../operations/access.js';
import { createMetrics } from '../operations/metrics.js';
import type { Predictor } from '../predictor.js';

/** Serves what `predictor` answers on a free port. */
export function serveGrpc(
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
  return startGrpc({ ...usual, ...options }, { host: '127.0.0.1', port: 0 });
}

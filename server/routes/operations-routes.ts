/** For those who run the server: its metrics, and the way back to the version before. */
import type { Express } from 'express';
import { route } from '../../lib/http/answers.js';
import { HttpProblem } from '../../lib/http/problems.js';
import type { ModelStore } from '../models/served-models.js';
import type { Access } from '../operations/access.js';
import type { Metrics } from '../operations/metrics.js';

/** What the routes need. */
interface OperationsRouteOptions {
  readonly metrics: Metrics;
  readonly access: Access;
  /** Undefined where the server cannot change its model. */
  readonly rollback?: ModelStore['rollback'];
}

/** Adds `/metrics` and `/admin/rollback`. */
export function addOperationsRoutes(
  app: Express,
  { metrics, access, rollback = () => undefined }: OperationsRouteOptions,
): void {
  route(app, '/metrics', {
    get: [
      async (_request, response) => {
        response
          .set('Cache-Control', 'no-store')
          .type(metrics.contentType)
          .send(await metrics.text());
      },
    ],
  });
  route(app, '/admin/rollback', {
    post: [
      (request, response) => {
        if (!access.hasAdmin)
          throw new HttpProblem(
            403,
            'This server was started without --admin-token-file: nobody may do this.',
          );
        if (!access.allowsAdmin(request.get('Authorization')))
          throw new HttpProblem(401, 'Expected the admin token as a bearer token.', {
            headers: { 'WWW-Authenticate': 'Bearer realm="fedbatch admin"' },
          });
        const version = rollback();
        if (version === undefined) throw new HttpProblem(409, 'There is no version before this one.');
        response.json({ version: version.version, sha256: version.predictor.card()?.sha256 });
      },
    ],
  });
}

/** What the server says of itself: its model, whether it lives, whether it can answer. */
import type { Express } from 'express';
import { route } from '../../lib/http/answers.js';
import { HttpProblem } from '../../lib/http/problems.js';
import type { ModelVersion, RefusedModel, ServedModels } from '../models/served-models.js';

/** Adds `/model`, `/healthz` and `/readyz`. */
export function addModelRoutes(app: Express, { models }: { readonly models: ServedModels }): void {
  route(app, '/model', {
    get: [
      (_request, response) => {
        const card = models.card();
        const current = models.current();
        const refused = models.refused();
        if (card === undefined || current === undefined) {
          const why = refused === undefined ? '' : `: ${withoutDirectory(refused.reason)}`;
          throw new HttpProblem(503, `The model is not loaded yet${why === '' ? '.' : why}`);
        }
        response.set('Cache-Control', 'no-store').json({
          ...card,
          name: models.name,
          version: current.version,
          versions: models.versions().map(describeVersion),
          ...(refused === undefined ? {} : { refused: describeRefused(refused) }),
        });
      },
    ],
  });
  route(app, '/healthz', { get: [(_request, response) => void response.json({ status: 'ok' })] });
  route(app, '/readyz', {
    get: [
      (_request, response) => {
        const ready = models.card() !== undefined;
        response.status(ready ? 200 : 503).set('Cache-Control', 'no-store');
        response.json({ status: ready ? 'ready' : 'the model is not loaded' });
      },
    ],
  });
}

function describeVersion({ version, loadedAt, predictor }: ModelVersion) {
  return { version, sha256: predictor.card()?.sha256, loadedAt: loadedAt.toISOString() };
}

function describeRefused({ sha256, reason, at }: RefusedModel) {
  return { sha256, reason: withoutDirectory(reason), at: at.toISOString() };
}

/** Where a file lies on the server is nobody's business. */
function withoutDirectory(reason: string): string {
  const end = reason.indexOf(': ');
  return end < 0 ? reason : reason.slice(reason.lastIndexOf('/', end) + 1);
}

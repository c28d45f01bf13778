/** What the server says of itself: its model, whether it lives, whether it can answer. */
import type { Express } from 'express';
import { route } from '../answers.js';
import type { Predictor } from '../predictor.js';
import { HttpProblem } from '../problems.js';

/** Adds `/model`, `/healthz` and `/readyz`. */
export function addModelRoutes(app: Express, { predictor }: { readonly predictor: Predictor }): void {
  route(app, '/model', {
    get: [
      (_request, response) => {
        const card = predictor.card();
        if (card === undefined) throw new HttpProblem(503, 'The model is not loaded yet.');
        response.json(card);
      },
    ],
  });
  route(app, '/healthz', { get: [(_request, response) => void response.json({ status: 'ok' })] });
  route(app, '/readyz', {
    get: [
      (_request, response) => {
        const ready = predictor.card() !== undefined;
        response.status(ready ? 200 : 503).set('Cache-Control', 'no-store');
        response.json({ status: ready ? 'ready' : 'the model is not loaded' });
      },
    ],
  });
}

/** The web application as a value: its routes, and the limits in front of them. listen.ts does the listening. */
import express, { type Express } from 'express';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import { answerProblems, notFound, requestId } from './answers.js';
import type { Predictor } from './predictor.js';
import { addModelRoutes } from './routes/model-routes.js';
import { addPageRoutes } from './routes/page-routes.js';
import { addUploadRoute } from './routes/upload-route.js';
import type { Sample } from './samples.js';
import { securityHeaders } from './security-headers.js';
import { DEFAULT_UPLOAD_LIMITS, type UploadLimits } from './upload.js';
import { errorPage } from './views/layout.js';
import { renderPage } from './views/page.js';

/** What the application is made of. */
export interface AppOptions {
  readonly predictor: Predictor;
  readonly samples?: readonly Sample[];
  readonly limits?: Partial<UploadLimits>;
  readonly reporter?: Reporter;
}

/** Builds the application around a predictor. */
export function createApp({
  predictor,
  samples = [],
  limits: limitOptions,
  reporter = silentReporter,
}: AppOptions): Express {
  const limits = { ...DEFAULT_UPLOAD_LIMITS, ...limitOptions };
  const page = () => ({ card: predictor.card(), samples, maxFileBytes: limits.maxFileBytes });
  const app = express();
  app.disable('x-powered-by').set('query parser', 'simple');
  app.use(requestId, securityHeaders());

  addPageRoutes(app, { predictor, samples, page });
  addUploadRoute(app, { predictor, limits, page });
  addModelRoutes(app, { predictor });

  app.use(notFound);
  app.use(
    answerProblems(reporter, (problem, request) =>
      request.path === '/upload' && request.method === 'POST'
        ? renderPage({ ...page(), error: problem.message })
        : errorPage(problem),
    ),
  );
  return app;
}

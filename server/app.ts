/** The web application as a value: its routes, and the limits in front of them. listen.ts does the listening. */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Express } from 'express';
import express from 'express';
import helmet from 'helmet';
import { answerProblems, notFound } from '../lib/http/answers.js';
import type { AllowedHosts } from '../lib/http/hosts.js';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import type { RunPages } from '../watch/routes.js';
import { createApiHandler } from './api/api-handler.js';
import { type BodyLimits, createBodyReader, DEFAULT_BODY_LIMITS } from './api/exchange.js';
import { type Codecs, createCodecs } from './codecs/codecs.js';
import { createFront } from './front.js';
import { createRoom, type Room } from './held-bytes.js';
import type { Predictor } from './models/predictor.js';
import { type ModelStore, type ServedModels, singleModel } from './models/served-models.js';
import { type Access, OPEN_ACCESS } from './operations/access.js';
import { clientAddress, type RateLimit } from './operations/guard.js';
import { createMetrics, type Metrics } from './operations/metrics.js';
import type { Sample } from './pictures/samples.js';
import { createUploads, DEFAULT_UPLOAD_LIMITS, type UploadLimits, type Uploads } from './pictures/upload.js';
import { addModelRoutes } from './routes/model-routes.js';
import { addOperationsRoutes } from './routes/operations-routes.js';
import { addPageRoutes } from './routes/page-routes.js';
import { addPredictRoute, givenIn } from './routes/predict-route.js';
import { addUploadRoute } from './routes/upload-route.js';
import { renderFormPage } from './views/form-page.js';
import { errorPage, renderPage } from './views/page.js';

/** What the application is made of. */
export interface AppOptions {
  /** What answers the page and uploads. */
  readonly predictor: Predictor;
  /** What the API serves; by default the predictor as the only version of `model`. */
  readonly models?: ServedModels;
  /** How `/admin/rollback` goes back; there is no way back by default. */
  readonly rollback?: ModelStore['rollback'];
  /** Reads the API's bodies; its own by default. */
  readonly codecs?: Codecs;
  readonly samples?: readonly Sample[];
  readonly limits?: Partial<UploadLimits & BodyLimits>;
  /** Room for the bodies of the API; its own by default. */
  readonly bodyRoom?: Room;
  readonly access?: Access;
  readonly rateLimit?: RateLimit;
  readonly metrics?: Metrics;
  /** Proxies in front of this server whose `X-Forwarded-For` is believed; 0 by default. */
  readonly trustedProxies?: number;
  /** Whether each request is reported. */
  readonly logsRequests?: boolean;
  /** Whether clients come by TLS to this server itself. */
  readonly isTls?: boolean;
  /** The pages of runs. */
  readonly runs?: RunPages;
  /** The names that it may be asked by beside this machine's own; any name by default. */
  readonly hosts?: AllowedHosts;
  readonly reporter?: Reporter;
}

/** Builds the application around a predictor. */
export function createWebApp(options: AppOptions): RequestListener {
  const { predictor, access = OPEN_ACCESS, metrics = createMetrics(), reporter = silentReporter } = options;
  const models = options.models ?? singleModel(predictor);
  const limits = { ...DEFAULT_UPLOAD_LIMITS, ...DEFAULT_BODY_LIMITS, ...options.limits };
  const codecs = options.codecs ?? createCodecs();
  const addressOf = (request: IncomingMessage) => clientAddress(request, options.trustedProxies ?? 0);
  const { bodyRoom = createRoom(limits.maxHeldBytes), maxBodyBytes } = { ...options, ...limits };
  const uploads = createUploads({ limits, room: createRoom(limits.maxHeldBytes), addressOf });
  return createFront({
    api: createApiHandler({
      models,
      codecs,
      bodies: createBodyReader({ maxBodyBytes, room: bodyRoom, addressOf }),
    }),
    pages: createPages({ ...options, codecs, uploads, access, metrics, models, limits, reporter }),
    access,
    metrics,
    reporter,
    trustedProxies: options.trustedProxies ?? 0,
    logsRequests: options.logsRequests ?? false,
    ...(options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit }),
    ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
  });
}

type PagesOptions = Required<Pick<AppOptions, 'access' | 'codecs' | 'metrics' | 'models' | 'reporter'>> &
  Omit<AppOptions, 'limits'> & { readonly limits: UploadLimits; readonly uploads: Uploads };

/** Everything that is not the API. */
function createPages({
  predictor,
  models,
  samples = [],
  codecs,
  uploads,
  limits,
  reporter,
  ...options
}: PagesOptions): Express {
  const { access, metrics, rollback, runs, isTls = false } = options;
  const page = () => ({ card: predictor.card(), samples, maxFileBytes: limits.maxFileBytes });
  const app = express();
  app.disable('x-powered-by').set('query parser', 'simple');
  app.use(securityHeaders({ isTls }));

  addPageRoutes(app, { predictor, samples, page });
  addUploadRoute(app, { predictor, uploads, page });
  addPredictRoute(app, { predictor, codecs, uploads, limits });
  addModelRoutes(app, { models });
  addOperationsRoutes(app, { access, metrics, ...(rollback === undefined ? {} : { rollback }) });
  runs?.addTo(app, { isTls });

  app.use(notFound);
  app.use(
    answerProblems(reporter, (problem, request) => {
      if (runs !== undefined && /^\/(runs|live)\b/.test(request.path)) return runs.renderProblem(problem);
      const { message: error } = problem;
      const content = page();
      const { card, maxFileBytes } = content;
      if (request.method !== 'POST') return errorPage(problem);
      if (request.path === '/upload') return renderPage({ ...content, error });
      if (request.path !== '/predict' || card === undefined) return errorPage(problem);
      // What is wrong is told beside the fields, which keep what stands in them.
      return renderFormPage({ card, maxFileBytes, given: givenIn(request, card), error });
    }),
  );
  return app;
}

/** Nothing but our own files runs or loads; uploaded pictures are shown from `blob:` and `data:` addresses. */
function securityHeaders({ isTls }: { readonly isTls: boolean }) {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Plain HTTP on this machine or behind a proxy that ends TLS: what that proxy promises is not ours to say.
    strictTransportSecurity: isTls,
    // Browsers complain in their console about these two on plain HTTP.
    crossOriginOpenerPolicy: isTls,
    originAgentCluster: isTls,
  });
}

/** The web application as a value: its routes, and the limits in front of them. listen.ts does the listening. */
import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';
import helmet from 'helmet';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import { answerProblems, notFound, requestId, route, wantsHtml } from './answers.js';
import { type Classified, classify, pixelRows } from './classify.js';
import { toDataUrl } from './decode-image.js';
import type { Predictor } from './predictor.js';
import { HttpProblem } from './problems.js';
import type { Sample } from './samples.js';
import { DEFAULT_UPLOAD_LIMITS, receiveImage, type UploadLimits } from './upload.js';
import { errorPage } from './views/layout.js';
import { renderPage } from './views/page.js';

/** What the application is made of. */
export interface AppOptions {
  readonly predictor: Predictor;
  readonly samples?: readonly Sample[];
  readonly limits?: Partial<UploadLimits>;
  readonly reporter?: Reporter;
}

/** Style sheet, scripts and icon; `npm run build` copies them beside the compiled module. */
const STATIC_FILES = fileURLToPath(new URL('./public/', import.meta.url));

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

  route(app, '/', { get: [(_request, response) => sendPage(response, renderPage(page()))] });

  route(app, '/upload', {
    post: [
      ...receiveImage(limits),
      async (request, response) => {
        const classified = await classify(request.file?.buffer ?? new Uint8Array(), predictor);
        response.vary('Accept');
        if (wantsHtml(request)) {
          const givenUrl = await toDataUrl(classified.given.values, [
            classified.given.height,
            classified.given.width,
            4,
          ]);
          sendPage(response, renderPage({ ...page(), shown: await show(classified, givenUrl) }));
        } else {
          const { prediction, probabilities, blank } = classified.answer;
          response.set('Cache-Control', 'no-store');
          response.json({
            prediction,
            probabilities,
            ...(blank ? { blank } : {}),
            pixels: pixelRows(classified),
          });
        }
      },
    ],
  });

  const sampleOf = (name: unknown) => {
    const sample = samples.find((each) => each.name === name);
    if (sample === undefined) throw new HttpProblem(404, 'There is no such sample.');
    return sample;
  };
  route(app, '/samples/:name', {
    get: [
      (request, response) => {
        const { png } = sampleOf(request.params.name);
        response.type('png').set('Cache-Control', 'public, max-age=3600').send(Buffer.from(png));
      },
    ],
  });
  route(app, '/samples/:name/result', {
    get: [
      async (request, response) => {
        const { name, png } = sampleOf(request.params.name);
        const shown = await show(await classify(png, predictor), `/samples/${encodeURIComponent(name)}`);
        sendPage(response, renderPage({ ...page(), shown }));
      },
    ],
  });

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

  app.use('/static', express.static(STATIC_FILES, { index: false, redirect: false }));
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

async function show(classified: Classified, givenUrl: string) {
  const { answer, input, inputShape } = classified;
  return { answer, givenUrl, seenUrl: await toDataUrl(input.pixels, inputShape) };
}

function sendPage(response: Response, page: string): void {
  response.type('html').set('Cache-Control', 'no-store').send(page);
}

/** Nothing but our own files runs or loads; uploaded pictures are shown from `blob:` and `data:` addresses. */
function securityHeaders() {
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
    strictTransportSecurity: false,
    // Browsers complain in their console about these two on plain HTTP.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
}

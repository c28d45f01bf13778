/** The page and all that belongs to it: samples, what the model reads in them, and the static files. */
import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';
import { route } from '../../lib/http/answers.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { isPictureReader, type Predictor } from '../models/predictor.js';
import { type Classified, classify } from '../pictures/classify.js';
import { explain } from '../pictures/explain.js';
import type { Sample } from '../pictures/samples.js';
import { renderFormPage } from '../views/form-page.js';
import { renderPage } from '../views/page.js';
import type { PageContent, ShownAnswer } from '../views/page-content.js';

/** What the page is made of. */
interface PageRouteOptions {
  readonly predictor: Predictor;
  readonly samples: readonly Sample[];
  /** The page's content before anything was asked. */
  readonly page: () => PageContent;
}

/** Style sheet, scripts and icon; `npm run build` copies them beside the compiled module. */
const STATIC_FILES = fileURLToPath(new URL('../public/', import.meta.url));

/** Adds `/`, `/samples/…` and `/static/…`. */
export function addPageRoutes(app: Express, { predictor, samples, page }: PageRouteOptions): void {
  route(app, '/', {
    get: [
      (_request, response) => {
        const content = page();
        const { card, maxFileBytes } = content;
        const isForm = card !== undefined && !isPictureReader(card);
        sendPage(response, isForm ? renderFormPage({ card, maxFileBytes }) : renderPage(content));
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
        const classified = await classify(png, predictor, { isShown: true });
        const shown = await show(classified, `/samples/${encodeURIComponent(name)}`);
        sendPage(response, renderPage({ ...page(), shown }));
      },
    ],
  });

  app.use('/static', express.static(STATIC_FILES, { index: false, redirect: false }));
}

/** An answer as the page shows it; `givenUrl` is the address of the picture as given. */
export async function show(classified: Classified, givenUrl: string): Promise<ShownAnswer> {
  return { answer: classified.answer, explanation: await explain(classified), givenUrl };
}

/** Answers with a page that nobody keeps. */
export function sendPage(response: Response, page: string): void {
  response.type('html').set('Cache-Control', 'no-store').send(page);
}

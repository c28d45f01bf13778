/** `POST /upload`: one picture in a form, answered as a page or as JSON (`?explain`: with the pictures of each step). */
import type { Express } from 'express';
import { route, wantsHtml } from '../../lib/http/answers.js';
import type { Predictor } from '../models/predictor.js';
import { classify, pixelRows } from '../pictures/classify.js';
import { toDataUrl } from '../pictures/decode-image.js';
import { explain } from '../pictures/explain.js';
import type { Uploads } from '../pictures/upload.js';
import { renderPage } from '../views/page.js';
import { linesRead, NOTHING_FOUND, type PageContent, wordsFor } from '../views/page-content.js';
import { sendPage, show } from './page-routes.js';

/** What the route needs. */
interface UploadRouteOptions {
  readonly predictor: Predictor;
  readonly uploads: Uploads;
  /** The page's content before anything was asked. */
  readonly page: () => PageContent;
}

/** Adds `/upload`. */
export function addUploadRoute(app: Express, { predictor, uploads, page }: UploadRouteOptions): void {
  route(app, '/upload', {
    post: [
      ...uploads.image,
      async (request, response) => {
        const isPage = wantsHtml(request);
        const isExplained = isPage || request.query.explain !== undefined;
        const bytes = request.file?.buffer ?? new Uint8Array();
        const classified = await classify(bytes, predictor, { isShown: isExplained });
        response.vary('Accept');
        if (isPage) {
          const { given } = classified;
          const givenUrl =
            given === undefined ? '' : await toDataUrl(given.values, [given.height, given.width, 4]);
          sendPage(response, renderPage({ ...page(), shown: await show(classified, givenUrl) }));
        } else {
          const { prediction, probabilities, digits } = classified.answer;
          const isBlank = digits.length === 0;
          response.set('Cache-Control', 'no-store');
          const label = prediction === null ? undefined : predictor.card()?.labels?.[prediction];
          response.json({
            prediction,
            ...(label === undefined ? {} : { label }),
            probabilities,
            digits,
            lines: linesRead(classified.answer, wordsFor(predictor.card())),
            ...(isBlank ? { blank: true, message: NOTHING_FOUND } : {}),
            ...(isExplained ? { explanation: await explain(classified) } : {}),
            pixels: pixelRows(classified.input, classified.inputShape),
          });
        }
      },
    ],
  });
}

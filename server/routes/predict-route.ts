/** `POST /predict`: examples from the fields of the form or from a file, answered in the words of the task, as a page or as JSON. */
import type { Express, Request } from 'express';
import { route, wantsHtml } from '../answers.js';
import { modelRows } from '../api/model-rows.js';
import type { Codecs } from '../codecs/codecs.js';
import type { NamedTensors } from '../codecs/tensor.js';
import { tensorsOfFields } from '../codecs/written-numbers.js';
import { wordsOfAnswers } from '../models/answer-words.js';
import { inputsOf, type ModelCard, outputsOf, type Predictor } from '../models/predictor.js';
import { receiveForm, type UploadLimits } from '../pictures/upload.js';
import { HttpProblem, PredictorUnavailableError } from '../problems.js';
import { FIELD_PREFIX, renderFormPage } from '../views/form-page.js';
import { sendPage } from './page-routes.js';

/** What the route needs. */
interface PredictRouteOptions {
  readonly predictor: Predictor;
  readonly codecs: Codecs;
  readonly limits: UploadLimits;
}

/** Adds `/predict`. */
export function addPredictRoute(app: Express, { predictor, codecs, limits }: PredictRouteOptions): void {
  route(app, '/predict', {
    post: [
      ...receiveForm(limits),
      async (request, response) => {
        const card = predictor.card();
        if (card === undefined) throw new PredictorUnavailableError('The model is not loaded yet.');
        const given = fieldsOf(request, card);
        response.vary('Accept').set('Cache-Control', 'no-store');
        const answer = async () => {
          const file = request.file?.size ? request.file : undefined;
          const tensors =
            file === undefined
              ? tensorsOfFields(given, inputsOf(card))
              : await tensorsOfFile(file.buffer, { codecs, card });
          const { values, count } = modelRows(tensors, card, { isBatch: true });
          const facts = { outputs: outputsOf(card), labels: card.labels };
          return wordsOfAnswers(await predictor.predict(values, count), count, facts);
        };
        if (!wantsHtml(request)) return void response.json({ answers: await answer() });
        const page = { card, given, maxFileBytes: limits.maxFileBytes };
        const shown = await answer().then(
          (answers) => ({ answers }),
          (error: unknown) => {
            // What is wrong with the fields is told beside them; anything else is a page of its own.
            if (!(error instanceof HttpProblem) || error.status !== 400) throw error;
            response.status(400);
            return { error: error.message };
          },
        );
        sendPage(response, renderFormPage({ ...page, ...shown }));
      },
    ],
  });
}

/** What stands in the fields of each input. */
function fieldsOf({ body }: Request, card: ModelCard): Readonly<Record<string, readonly string[]>> {
  const fields: Readonly<Record<string, unknown>> = { ...body };
  return Object.fromEntries(
    inputsOf(card).map(({ name }) => {
      const found = fields[FIELD_PREFIX + name];
      return [name, (Array.isArray(found) ? found : [found ?? '']).map(String)];
    }),
  );
}

/** Examples of a file: JSON as `:predict` takes it, or CSV. */
async function tensorsOfFile(
  bytes: Uint8Array,
  { codecs, card }: { readonly codecs: Codecs; readonly card: ModelCard },
): Promise<NamedTensors> {
  const isJson = /^[\s\uFEFF]*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('utf8'));
  if (isJson) return (await codecs.run('readPredictBody', { body: bytes }, bytes.length)).tensors;
  return codecs.run('readCsvBody', { body: bytes, inputs: inputsOf(card) }, bytes.length);
}

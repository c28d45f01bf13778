/** `POST /predict`: an example out of the fields of the form, or many out of a file, answered in the words of the task: as a page, JSON or CSV. */
import type { Express, Request } from 'express';
import { route, wantsHtml } from '../../lib/http/answers.js';
import { PredictorUnavailableError } from '../../lib/http/problems.js';
import { jsonBytes, modelRows } from '../api/model-rows.js';
import type { Codecs } from '../codecs/codecs.js';
import { readParquetApart } from '../codecs/table-apart.js';
import { isParquet } from '../codecs/table-files.js';
import type { AskedExamples } from '../codecs/tables.js';
import type { NamedTensors } from '../codecs/tensor.js';
import { tensorOfFields } from '../codecs/written-numbers.js';
import { wordsOfAnswers } from '../models/answer-words.js';
import type { ModelCard } from '../models/model-card.js';
import { answerFactsOf, inputsOf, type Predictor } from '../models/predictor.js';
import type { ServedInput } from '../models/served-facts.js';
import { pictureDecoder } from '../pictures/decode-apart.js';
import { pictureOptions, pictureTensor } from '../pictures/decode-image.js';
import { FIELD_PREFIX, fileIn, type UploadLimits, type Uploads } from '../pictures/upload.js';
import type { GivenFields } from '../views/example-form.js';
import { MOST_SHOWN, renderFormPage } from '../views/form-page.js';
import { sendPage } from './page-routes.js';

/** What the route needs. */
interface PredictRouteOptions {
  readonly predictor: Predictor;
  readonly codecs: Codecs;
  readonly uploads: Uploads;
  readonly limits: UploadLimits;
}

/** Adds `/predict`. */
export function addPredictRoute(
  app: Express,
  { predictor, codecs, uploads, limits }: PredictRouteOptions,
): void {
  const ask = async (request: Request, card: ModelCard) => {
    const file = fileIn(request);
    const { tensors, kept }: AskedExamples =
      file === undefined
        ? { tensors: await tensorsOfForm(request, card) }
        : await examplesOfFile(file, { codecs, card });
    const { values, count } = modelRows(tensors, card, { isBatch: true });
    return { answers: await predictor.predict(values, count), count, kept };
  };
  route(app, '/predict', {
    post: [
      ...uploads.form,
      async (request, response) => {
        const card = predictor.card();
        if (card === undefined) throw new PredictorUnavailableError('The model is not loaded yet.');
        const facts = answerFactsOf(card);
        response.vary('Accept').set('Cache-Control', 'no-store');
        const { answers, count, kept } = await ask(request, card);
        if (wantsCsv(request)) {
          const csv = await codecs.run(
            'writeAnswersCsv',
            { answers, count, facts, kept },
            jsonBytes(answers),
          );
          response.attachment('predictions.csv').type('csv').send(csv);
        } else if (wantsHtml(request)) {
          const shown = Math.min(count, MOST_SHOWN);
          const first = answers.subarray(0, (answers.length / count) * shown);
          const words = wordsOfAnswers(first, shown, facts);
          const { maxFileBytes } = limits;
          const given = givenIn(request, card);
          sendPage(response, renderFormPage({ card, maxFileBytes, given, answers: words, count }));
        } else {
          const words = await codecs.run('writeWords', { answers, count, facts }, jsonBytes(answers));
          response.type('json').send(words);
        }
      },
    ],
  });
}

/** A browser has no header to ask with: a button of the form says it. */
function wantsCsv(request: Request): boolean {
  const { format }: Readonly<Record<string, unknown>> = { ...request.body };
  return format === 'csv' || request.accepts(['json', 'html', 'csv']) === 'csv';
}

/** What stands in the fields of an input. */
function fieldsOf({ body }: Request, { name }: ServedInput): readonly string[] {
  const fields: Readonly<Record<string, unknown>> = { ...body };
  const found = fields[FIELD_PREFIX + name];
  return (Array.isArray(found) ? found : [found ?? '']).map(String);
}

/** What stands in the fields of all inputs, for the form that comes back. */
export function givenIn(request: Request, card: ModelCard): GivenFields {
  return Object.fromEntries(inputsOf(card).map((input) => [input.name, fieldsOf(request, input)]));
}

/** The example in the fields and pictures of the form. */
async function tensorsOfForm(request: Request, card: ModelCard): Promise<NamedTensors> {
  const tensors = inputsOf(card).map(async (input) => {
    const picture = input.isPicture ? fileIn(request, FIELD_PREFIX + input.name) : undefined;
    const tensor =
      picture === undefined
        ? tensorOfFields(fieldsOf(request, input), input)
        : pictureTensor(await pictureDecoder.prepareImage(picture, pictureOptions(input)), input);
    return [input.name, tensor] as const;
  });
  return Object.fromEntries(await Promise.all(tensors));
}

/** Examples of a file: JSON as `:predict` takes it, or a table. */
async function examplesOfFile(
  bytes: Uint8Array,
  { codecs, card }: { readonly codecs: Codecs; readonly card: ModelCard },
): Promise<AskedExamples> {
  const isJson = /^[\s\uFEFF]*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('utf8'));
  if (isJson) return codecs.run('readPredictBody', { body: bytes }, bytes.length);
  const given = { body: bytes, inputs: inputsOf(card) };
  return isParquet(bytes) ? readParquetApart(given) : codecs.run('readTableBody', given, bytes.length);
}

/** `POST /predict`: examples from the fields of the form or from a file, answered in the words of the task, as a page or as JSON. */
import type { Express, Request } from 'express';
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { route, wantsHtml } from '../answers.js';
import { modelRows } from '../api/model-rows.js';
import type { Codecs } from '../codecs/codecs.js';
import { parseJson } from '../codecs/json.js';
import { bad, type NamedTensors, tensorFromLists } from '../codecs/tensor.js';
import { wordsOfAnswers } from '../models/answer-words.js';
import {
  inputsOf,
  type ModelCard,
  outputsOf,
  type Predictor,
  rowSizeOf,
  type ServedInput,
} from '../models/predictor.js';
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
              ? tensorsOfFields(given, card)
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

/** One example, from its fields. */
function tensorsOfFields(given: Readonly<Record<string, readonly string[]>>, card: ModelCard): NamedTensors {
  return Object.fromEntries(
    inputsOf(card).map((input) => [input.name, { ...tensorOfFields(given[input.name] ?? [], input) }]),
  );
}

function tensorOfFields(texts: readonly string[], { name, shape }: ServedInput) {
  const [first = ''] = texts;
  if (texts.length === 1 && first.trim().startsWith('['))
    return tensorFromLists([parseJson(Buffer.from(first))]);
  const parts = texts.length === 1 ? first.split(/[\s,;]+/).filter((part) => part !== '') : texts;
  const size = sizeOf(shape);
  const missing = parts.findIndex((part) => part.trim() === '');
  if (missing >= 0 || parts.length !== size)
    throw bad(
      `${size} numbers for ${name}${shape.length > 1 ? `, ${formatShape(shape)}` : ''}`,
      missing >= 0 ? `none in field ${missing + 1}` : `${parts.length}`,
    );
  return tensorFromLists([parts.map((part) => numberOf(part, `for ${name}`))]);
}

function numberOf(text: string, where: string): number {
  const value = Number(text);
  if (Number.isNaN(value)) throw bad(`numbers ${where}`, `"${text.slice(0, 40)}"`);
  return value;
}

/** Examples of a file: JSON as `:predict` takes it, or CSV. */
async function tensorsOfFile(
  bytes: Uint8Array,
  { codecs, card }: { readonly codecs: Codecs; readonly card: ModelCard },
): Promise<NamedTensors> {
  const isJson = /^[\s\uFEFF]*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('utf8'));
  if (isJson) return (await codecs.run('readPredictBody', { body: bytes }, bytes.length)).tensors;
  return tensorsOfCsv(Buffer.from(bytes).toString('utf8'), card);
}

/** A line for each example: the numbers of all inputs one after the other; a first line of names is passed over. */
function tensorsOfCsv(text: string, card: ModelCard): NamedTensors {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const cells = (line: string) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
  const isHeader = cells(lines[0] ?? '').some((cell) => Number.isNaN(Number(cell)));
  const from = isHeader ? 1 : 0;
  const size = rowSizeOf(card);
  const rows = lines.slice(from).map((line, at) => {
    const numbers = cells(line).map((cell) =>
      numberOf(cell === '' ? 'nothing' : cell, `in line ${at + from + 1}`),
    );
    if (numbers.length === size) return numbers;
    throw bad(
      `${size} numbers in line ${at + from + 1}, those of all inputs of the model`,
      `${numbers.length}`,
    );
  });
  let start = 0;
  return Object.fromEntries(
    inputsOf(card).map(({ name, shape }) => {
      const own = start;
      start += sizeOf(shape);
      return [name, tensorFromLists(rows.map((row) => row.slice(own, own + sizeOf(shape))))];
    }),
  );
}

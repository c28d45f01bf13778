/** The page of a model that takes no picture: a form made of its inputs, and the answers in the words of its task. */
import { sizeOf } from '../../lib/core/weights.js';
import { type Html, html } from '../../lib/html/html.js';
import type { ExampleWords, OutputWords } from '../models/answer-words.js';
import { inputsOf, type ModelCard, type ServedInput } from '../models/predictor.js';
import { renderBar } from './answer.js';
import { layout, renderModel } from './page.js';
import { classesWithBars, formatShare } from './page-content.js';

/** What the form page shows. */
interface FormContent {
  readonly card: ModelCard;
  readonly maxFileBytes: number;
  /** What was given, by input, as it stands in the form. */
  readonly given?: Readonly<Record<string, readonly string[]>>;
  readonly answers?: readonly ExampleWords[];
  readonly error?: string;
}

/** Inputs of so few numbers have a field for each. */
const MOST_FIELDS = 16;
/** More answers would be a list to scroll: programs take them as JSON. */
const MOST_SHOWN = 100;

/** Before the name of a field that belongs to an input. */
export const FIELD_PREFIX = 'input.';

/** The page as a whole HTML document; it needs no JavaScript. */
export function renderFormPage(content: FormContent): string {
  const { card, answers, error } = content;
  return layout({
    title: 'Ask the model',
    hasScript: false,
    content: html`<header>
      <h1>Ask the model</h1>
      <p>Give it numbers. A model trained by federated averaging answers with ${card.task ?? 'a class'}.</p>
    </header>
    <main>
      <div class="column">${renderForm(content)}</div>
      <section class="card answer" id="answer" aria-labelledby="answer-title" tabindex="-1">
        <h2 id="answer-title">Answer</h2>
        <p class="error" id="error" role="alert">${error}</p>
        ${answers === undefined ? error === undefined && html`<p class="quiet">Nothing was asked yet.</p>` : renderAnswers(answers, card)}
      </section>
      ${renderModel(card)}
    </main>`,
  });
}

function renderForm({ card, maxFileBytes, given }: FormContent): Html {
  return html`<section class="card input" aria-labelledby="input-title">
        <h2 id="input-title">An example</h2>
        <form class="numbers" action="/predict#answer" method="post" enctype="multipart/form-data">
          ${inputsOf(card).map((input) => renderInput(input, given?.[input.name]))}
          <label class="row">Or a file of examples<input type="file" name="file" accept=".json,.csv,application/json,text/csv"></label>
          <p class="quiet">JSON such as {"instances": [...]}, or CSV with a line for each example, up to ${maxFileBytes / 1e6}\u00a0MB. A file takes the place of the fields.</p>
          <button type="submit">Ask</button>
        </form>
      </section>`;
}

function renderInput(input: ServedInput, given: readonly string[] = []): Html {
  const { name, shape, below } = input;
  const size = sizeOf(shape);
  const isWhole = input.isInteger || below !== undefined;
  const hint = `${isWhole ? 'whole numbers' : 'numbers'}${below === undefined ? '' : ` from 0 to ${below - 1}`}`;
  const field = FIELD_PREFIX + name;
  if (size > MOST_FIELDS)
    return html`<label class="row"><strong>${name}</strong> <small>${hint}, ${shape.join(' × ')}: JSON, or separated by commas</small><textarea name="${field}" rows="5">${given[0] ?? ''}</textarea></label>`;
  const limits = below === undefined ? '' : html` min="0" max="${below - 1}"`;
  return html`<fieldset><legend><strong>${name}</strong> <small>${hint}</small></legend>${Array.from(
    { length: size },
    (_, at) =>
      html`<input type="number" name="${field}" step="${isWhole ? '1' : 'any'}"${limits} aria-label="${name} ${at + 1}" value="${given[at] ?? ''}">`,
  )}</fieldset>`;
}

function renderAnswers(answers: readonly ExampleWords[], card: ModelCard): Html {
  const shown = answers.slice(0, MOST_SHOWN);
  return html`${shown.map(
    (each, at) =>
      html`<div class="said">${answers.length > 1 && html`<h3>Example ${at}</h3>`}${renderExample(each, card)}</div>`,
  )}${answers.length > MOST_SHOWN && html`<p class="quiet">The first ${MOST_SHOWN} of ${answers.length} are shown: programs get all as JSON.</p>`}`;
}

function renderExample(said: ExampleWords, card: ModelCard): Html {
  if (!('outputs' in said)) return renderWords(said, card);
  return html`<dl class="rows">${Object.entries(said.outputs).map(
    ([name, each]) => html`<div><dt>${name}</dt><dd>${renderWords(each, card)}</dd></div>`,
  )}</dl>`;
}

function renderWords(said: OutputWords, card: ModelCard): Html {
  if ('steps' in said)
    return html`<ol start="0">${said.steps.map((each) => html`<li>${renderWords(each, card)}</li>`)}</ol>`;
  if ('value' in said) return html`<p class="sentence"><strong>${said.value}</strong></p>`;
  if ('values' in said) return html`<p class="sentence"><strong>${said.values.join(', ')}</strong></p>`;
  if ('prediction' in said) return renderClass(said, card);
  if ('probability' in said)
    return html`<p class="sentence"><strong>${said.holds ? 'Yes' : 'No'}</strong>, with a probability of ${formatShare(said.probability)} that it holds.</p>`;
  const what = said.holds.length === 0 ? 'None holds' : `These hold: ${said.holds.join(', ')}`;
  return html`<p class="sentence"><strong>${what}</strong> of ${said.probabilities.length}.</p>`;
}

function renderClass(
  { prediction, label, probabilities }: Extract<OutputWords, { readonly prediction: number }>,
  { labels }: ModelCard,
): Html {
  const name = label ?? `class ${prediction}`;
  if (probabilities === undefined) return html`<p class="sentence"><strong>${name}</strong></p>`;
  const answer = { prediction, probabilities };
  return html`<p class="sentence"><strong>${name}</strong>, ${formatShare(probabilities[prediction] ?? 0)} sure.</p>
    <ol class="bars">${classesWithBars(probabilities, probabilities.length).map((index) => renderBar({ index, labels, answer }))}</ol>`;
}

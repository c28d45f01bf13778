/** The page of a model that does more than to tell what a picture shows: a form made of its inputs, and answers in the words of its task. */
import { type Html, html } from '../../lib/html/html.js';
import type { ExampleWords } from '../models/answer-words.js';
import type { ModelCard } from '../models/model-card.js';
import { answerFactsOf, outputsOf } from '../models/predictor.js';
import type { AnswerFacts } from '../models/served-facts.js';
import { type GivenFields, renderExampleForm, renderTableForm, takesTables } from './example-form.js';
import { layout, renderModel } from './page.js';
import { renderExample } from './said.js';

/** What the form page shows. */
interface FormContent {
  readonly card: ModelCard;
  readonly maxFileBytes: number;
  readonly given?: GivenFields;
  /** The first of the answers. */
  readonly answers?: readonly ExampleWords[];
  /** How many examples were asked about. */
  readonly count?: number;
  readonly error?: string;
}

/** More answers would be a list to scroll: all of them are in the CSV file. */
export const MOST_SHOWN = 100;

/** The page as a whole HTML document; it needs no JavaScript. */
export function renderFormPage({ given, maxFileBytes, ...content }: FormContent): string {
  const { card } = content;
  const title = titleOf(card);
  return layout({
    title,
    script: 'form.js',
    content: html`<header>
      <h1>${title}</h1>
      <p>${leadOf(card)}</p>
    </header>
    <main class="ask">
      ${renderExampleForm(card, { given, maxFileBytes })}
      ${renderSaid(content)}
      ${takesTables(card) && renderTableForm(card, { maxFileBytes })}
      ${renderModel(card)}
    </main>`,
  });
}

function titleOf({ target }: ModelCard): string {
  return target === undefined ? 'Ask the model' : `What is the ${target.column}?`;
}

const ANSWERED: Readonly<Record<ReturnType<typeof outputsOf>[number]['task'], string>> = {
  classification: 'one of several classes',
  binary: 'yes or no',
  'multi-label': 'what of several holds',
  regression: 'a number',
};

function leadOf(card: ModelCard): string {
  const { labels = [] } = card;
  const outputs = outputsOf(card);
  const [only] = outputs;
  const isNamed = labels.length > 1 && labels.length <= 5 && only?.task !== 'regression';
  const what =
    only === undefined || outputs.length > 1
      ? outputs.map(({ name }) => name).join(', ')
      : isNamed
        ? labels.join(', ').replace(/, ([^,]*)$/, only.task === 'multi-label' ? ' and $1' : ' or $1')
        : ANSWERED[only.task];
  return `Give it an example${takesTables(card) ? ', or many' : ''}. A model trained by federated averaging answers: ${what}.`;
}

function renderSaid({ card, answers, count = 0, error }: Omit<FormContent, 'given' | 'maxFileBytes'>): Html {
  const facts = answerFactsOf(card);
  const state = answers === undefined ? (error === undefined ? 'empty' : 'failed') : 'done';
  return html`<section class="card said" id="answer" data-state="${state}" aria-labelledby="answer-title" tabindex="-1">
        <h2 id="answer-title">Answer</h2>
        <p class="error" id="error" role="alert">${error}</p>
        <div id="said" role="status" aria-live="polite">${answers === undefined ? html`<p class="quiet">${error === undefined && 'Nothing was asked yet.'}</p>` : renderAnswers(answers, { facts, count })}</div>
      </section>`;
}

function renderAnswers(
  answers: readonly ExampleWords[],
  { facts, count }: { readonly facts: AnswerFacts; readonly count: number },
): Html {
  const [only] = answers;
  if (only !== undefined && count === 1) return renderExample(only, facts);
  return html`<ol class="examples">${answers.map(
    (each, at) => html`<li><h3>Example ${at + 1}</h3>${renderExample(each, facts)}</li>`,
  )}</ol>${count > answers.length && html`<p class="quiet">The first ${answers.length} of ${count.toLocaleString('en')} are shown: the CSV file has them all.</p>`}`;
}

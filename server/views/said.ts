/** What a model says of an example, as HTML: a class with bars, yes or no, labels that hold, a number with its unit; output by output. */
import { type Html, html } from '../../lib/html/html.js';
import { type ExampleWords, HOLDS_ABOVE, type OutputWords } from '../models/answer-words.js';
import type { AnswerFacts } from '../models/served-facts.js';
import { renderBar } from './answer.js';
import { classesWithBars, formatShare } from './page-content.js';

/** What is said of one example; of several outputs by their names. */
export function renderExample(said: ExampleWords, facts: AnswerFacts): Html {
  if (!('outputs' in said)) return renderWords(said, facts);
  return html`<dl class="outputs">${Object.entries(said.outputs).map(
    ([name, each]) => html`<div><dt>${name}</dt><dd>${renderWords(each, facts)}</dd></div>`,
  )}</dl>`;
}

type Said<Key extends string> = Extract<OutputWords, Readonly<Record<Key, unknown>>>;

type Labels = Extract<OutputWords, { readonly holds: readonly number[] }>;

/** What answers mean, and whether there is room for bars: of many steps there is not. */
type Telling = AnswerFacts & { readonly hasBars?: boolean };

function renderWords(said: OutputWords, facts: Telling): Html {
  if ('steps' in said)
    return html`<ol class="steps-said" start="0">${said.steps.map((each) => html`<li>${renderWords(each, { ...facts, hasBars: false })}</li>`)}</ol>`;
  if ('value' in said) return renderNumber(said);
  if ('values' in said) return renderNumbers(said, facts);
  if ('prediction' in said) return renderClass(said, facts);
  if ('probability' in said) return renderYesOrNo(said, facts);
  return renderLabels(said, facts);
}

/** Six digits say more than any model knows; programs get all. */
function formatNumber(value: number): string {
  const rounded = Number(value.toPrecision(6));
  const isPlain = rounded === 0 || (Math.abs(rounded) >= 1e-4 && Math.abs(rounded) < 1e15);
  return isPlain ? rounded.toLocaleString('en', { maximumFractionDigits: 10 }) : rounded.toExponential();
}

function renderNumber({ value, target, unit }: Said<'value'>): Html {
  return html`${target !== undefined && html`<p class="what">${target}</p>`}<p class="sentence"><strong class="number">${formatNumber(value)}</strong>${unit !== undefined && ` ${unit}`}</p>`;
}

function renderNumbers({ values }: Said<'values'>, { labels }: AnswerFacts): Html {
  return html`<dl class="values">${values.map(
    (value, at) => html`<div><dt>${labels?.[at] ?? at}</dt><dd>${formatNumber(value)}</dd></div>`,
  )}</dl>`;
}

function renderClass(
  { prediction, label, probabilities }: Said<'prediction'>,
  { labels, hasBars }: Telling,
): Html {
  const name = label ?? `class ${prediction}`;
  const isBest = (index: number) => index === prediction;
  return html`<p class="sentence"><strong>${name}</strong>, ${formatShare(probabilities[prediction] ?? 0)} sure.</p>
    ${renderBars(probabilities, { labels, isBest, hasBars })}`;
}

/** Two bars where both answers have names; else the one for yes is all there is to say. */
function renderYesOrNo(
  { holds, probability, label }: Said<'probability'>,
  { labels, hasBars }: Telling,
): Html {
  const [first] = labels ?? [];
  const what = labels?.length === 1 && first !== undefined ? `of ${first}` : 'of yes';
  const sentence =
    label === undefined
      ? html`<p class="sentence"><strong>${holds ? 'Yes' : 'No'}</strong>, with a probability ${what} of ${formatShare(probability)}.</p>`
      : html`<p class="sentence"><strong>${label}</strong>, ${formatShare(holds ? probability : 1 - probability)} sure.</p>`;
  const names = labels?.length === 2 ? labels : ['no', 'yes'];
  const isBest = (index: number) => index === (holds ? 1 : 0);
  return html`${sentence}
    ${renderBars([1 - probability, probability], { labels: names, isBest, hasBars })}`;
}

function renderLabels({ holds, labels: named, probabilities }: Labels, { labels, hasBars }: Telling): Html {
  const names = named ?? holds.map((at) => `label ${at}`);
  const sentence =
    names.length === 0
      ? html`<p class="sentence"><strong>None</strong> of the ${probabilities.length} labels holds.</p>`
      : html`<p class="sentence"><strong>${names.join(', ')}</strong></p>`;
  return html`${sentence}
    ${renderBars(probabilities, { labels, isBest: (index) => holds.includes(index), hasBars })}
    <p class="quiet">A label holds where it is more likely than ${HOLDS_ABOVE * 100}\u00a0%.</p>`;
}

interface BarsSettings {
  readonly labels: readonly string[] | undefined;
  readonly isBest: (index: number) => boolean;
  readonly hasBars: boolean | undefined;
}

function renderBars(shares: readonly number[], { labels, isBest, hasBars = true }: BarsSettings): Html {
  if (!hasBars) return html``;
  return html`<ol class="bars">${classesWithBars(shares, shares.length).map((index) => renderBar({ name: labels?.[index] ?? String(index), share: shares[index], isBest: isBest(index) }))}</ol>`;
}

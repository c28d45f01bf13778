/** The part of the page that answers: what is read, how sure that is, and the way of the picture to the model. */
import { type Html, html } from '../../lib/html/html.js';
import {
  classesWithBars,
  formatShare,
  linesRead,
  type PageContent,
  type ShownAnswer,
  sentence,
  type Words,
} from './page-content.js';

/** The answer; an empty one before anything was asked, for page.js to fill. */
export function renderAnswer({ shown, card, error }: PageContent, words: Words): Html {
  const [height, width] = card?.inputShape ?? [28, 28];
  const first = shown?.explanation.digits[0];
  const lines = shown ? linesRead(shown.answer, words) : [];
  const state = shown ? (lines.length > 0 ? 'done' : 'blank') : error === undefined ? 'empty' : 'failed';
  const said = shown ? sentence(shown.answer, words).map(emphasiseOdd) : error === undefined && INVITATION;
  const readsSigns = words.readsSigns ? 'yes' : 'no';
  return html`<section class="card answer" id="answer" data-state="${state}" data-labels="${JSON.stringify(words.labels)}" data-signs="${readsSigns}" aria-labelledby="answer-title" tabindex="-1">
        <h2 id="answer-title">Answer</h2>
        <p class="error" id="error" role="alert">${error}</p>
        <div class="flow">
          <figure><div class="frame">${picture('given', 'The picture as given', shown?.givenUrl)}</div><figcaption>Your picture</figcaption></figure>
          ${arrow}
          <figure><div class="frame seen">${picture('seen', `The picture as the model saw it, ${width} by ${height} pixels`, first?.seen)}</div><figcaption>What the model saw, ${width} × ${height}</figcaption></figure>
          ${arrow}
          <figure><div class="frame digit" id="digit" data-length="${longestWord(lines)}" data-lines="${rowsOf(lines)}" aria-hidden="true">${lines.length > 0 ? lines.join('\n') : shown ? NOTHING : NO_ANSWER}</div><figcaption>What it reads</figcaption></figure>
        </div>
        <p class="sentence" id="sentence" role="status" aria-live="polite">${said}</p>
        <div class="digits" id="digits" role="group" aria-label="Digits of the picture" hidden></div>
        ${shown && shown.answer.digits.length > 1 && renderDigits(shown, words)}
        <h3 id="bars-title">How sure it is</h3>
        <ol class="bars" id="bars" aria-labelledby="bars-title">${classesWithBars(
          first?.probabilities,
          words.labels.length,
        ).map((index) =>
          renderBar({
            name: words.labels[index] ?? String(index),
            share: shown && (shown.answer.probabilities[index] ?? 0),
            isBest: index === shown?.answer.prediction,
          }),
        )}</ol>
        <div class="way" id="way"${shown === undefined && html` hidden`}>
          <h3 id="steps-title">From your picture to the model's input</h3>
          <div class="steps" id="steps" role="group" aria-labelledby="steps-title">${shown && renderSteps(shown, words)}</div>
        </div>
      </section>`;
}

/** Before anything was asked, and where nothing was found. */
const NO_ANSWER = '?';
const NOTHING = '–';
const INVITATION = 'Nothing to read yet: draw, or choose a picture.';

/** A reading is written as large as there is room for: characters of its longest word, and rows, ten of each at most. */
const MOST = 10;
const longestWord = (lines: readonly string[]) =>
  Math.min(MOST, Math.max(1, ...lines.flatMap((line) => line.split(' ').map((word) => [...word].length))));
const rowsOf = (lines: readonly string[]) =>
  Math.min(
    MOST,
    lines.reduce((sum, line) => sum + Math.ceil([...line].length / longestWord(lines)), 0),
  );

const arrow = html`<svg class="arrow" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12h14m0 0-5-5m5 5-5 5"/></svg>`;

function emphasiseOdd(part: string, at: number): Html {
  return at % 2 === 1 ? html`<strong>${part}</strong>` : html`${part}`;
}

function picture(id: string, alt: string, url: string | undefined): Html {
  return url === undefined
    ? html`<img class="shown-picture" id="${id}" alt="${alt}" hidden>`
    : html`<img class="shown-picture" id="${id}" alt="${alt}" src="${url}">`;
}

/** Each digit of several, where there is no JavaScript to choose one of them. */
function renderDigits({ explanation }: ShownAnswer, { labels }: Words): Html {
  return html`<div class="digits">${explanation.digits.map(
    ({ prediction, probabilities, seen, line }, at) =>
      html`${at > 0 && line !== explanation.digits[at - 1]?.line && html`<span class="line-break"></span>`}<figure class="digit-choice"><img src="${seen}" alt="" width="44" height="44"><figcaption><strong>${labels[prediction] ?? prediction}</strong> ${formatShare(probabilities[prediction] ?? 0)}</figcaption></figure>`,
  )}</div>`;
}

/** A bar of a list of them. */
interface Bar {
  readonly name: string;
  /** Undefined before anything was asked. */
  readonly share: number | undefined;
  readonly isBest: boolean;
}

/** How likely a class is, as an item of a list. */
export function renderBar({ name, share, isBest }: Bar): Html {
  return html`
          <li${isBest && html` class="best"`}><span class="class">${name}</span><svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-fill" width="${((share ?? 0) * 100).toFixed(2)}" height="1"/></svg><span class="share">${share === undefined ? '–' : formatShare(share)}</span></li>`;
}

function renderSteps({ explanation }: ShownAnswer, { readsSigns }: Words): readonly Html[] {
  const [first] = explanation.digits;
  const steps = [...explanation.steps, ...(first?.steps ?? [])];
  if (first !== undefined)
    steps.push({ name: readsSigns ? 'centred: the input' : 'fitted: the input', image: first.seen });
  return steps.map(
    ({ name, image }) =>
      html`<figure class="step"><img src="${image}" alt=""><figcaption>${name}</figcaption></figure>`,
  );
}

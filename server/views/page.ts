/** The one page of the server: choose a picture, see its digit. Complete without JavaScript; page.js makes it quicker. */

import { type Html, html } from '../../lib/html/html.js';
import type { Answer } from '../classify.js';
import type { ModelCard } from '../predictor.js';
import type { Sample } from '../samples.js';
import { layout } from './layout.js';

/** An answer and its two pictures as addresses (`data:` or a path) for `<img>`. */
export interface ShownAnswer {
  readonly answer: Answer;
  readonly givenUrl: string;
  readonly seenUrl: string;
}

/** What the page shows. */
export interface PageContent {
  readonly card: ModelCard | undefined;
  readonly samples: readonly Sample[];
  readonly maxFileBytes: number;
  readonly shown?: ShownAnswer;
  /** What was wrong with the last upload. */
  readonly error?: string;
}

/** Classes shown before a model is there. */
const DEFAULT_CLASSES = 10;

/** The page as a whole HTML document. */
export function renderPage(content: PageContent): string {
  return layout({
    title: content.shown ? `It is a ${content.shown.answer.prediction}` : 'Which digit is it?',
    content: html`<header>
      <h1>Which digit is it?</h1>
      <p>Give it a picture of one handwritten digit. A model trained by federated averaging reads it.</p>
    </header>
    <main>
      ${renderInput(content)}
      ${renderAnswer(content)}
    </main>
    <footer>${renderCard(content.card)}</footer>`,
  });
}

function renderInput({ samples, maxFileBytes, error }: PageContent): Html {
  return html`<section class="card input" aria-labelledby="input-title">
        <h2 id="input-title">Your picture</h2>
        <form class="upload" id="upload" action="/upload" method="post" enctype="multipart/form-data" data-max-bytes="${maxFileBytes}">
          <div class="drop" id="drop">
            <svg class="drop-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3.5A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 1.5-1.5V15"/></svg>
            <label for="file"><strong>Choose a picture</strong><span class="with-script">, drop or paste one</span></label>
            <small id="file-hint">PNG, JPEG, WebP, GIF or AVIF, up to ${maxFileBytes / 1e6}\u00a0MB.<br>It is read in memory and never kept.</small>
            <input class="drop-input" type="file" id="file" name="file" required aria-describedby="file-hint error" accept="image/png,image/jpeg,image/webp,image/gif,image/avif">
          </div>
          <button class="without-script" type="submit">Read the digit</button>
        </form>
        <p class="error" id="error" role="alert">${error}</p>
        ${samples.length > 0 && renderSamples(samples)}
      </section>`;
}

function renderSamples(samples: readonly Sample[]): Html {
  return html`<h3 id="samples-title">Or try one of these</h3>
        <ul class="samples" aria-labelledby="samples-title">${samples.map(renderSample)}</ul>`;
}

function renderSample({ name, label }: Sample): Html {
  const path = `/samples/${encodeURIComponent(name)}`;
  return html`
          <li><a class="sample-link" href="${path}/result" data-sample="${path}" aria-label="Sample: ${label === undefined ? name : `digit ${label}`}"><img class="sample-picture" src="${path}" alt="" width="52" height="52"></a></li>`;
}

function renderAnswer({ card, shown }: PageContent): Html {
  const [height, width] = card?.inputShape ?? [28, 28];
  const classes = Array.from({ length: card?.classes ?? DEFAULT_CLASSES }, (_, index) => index);
  return html`<section class="card answer" id="answer" data-state="${shown ? 'done' : 'empty'}" aria-labelledby="answer-title" tabindex="-1">
        <h2 id="answer-title">Answer</h2>
        <div class="flow">
          <figure><div class="frame">${picture('given', 'The picture as given', shown?.givenUrl)}</div><figcaption>Your picture</figcaption></figure>
          ${arrow}
          <figure><div class="frame seen">${picture('seen', `The picture as the model saw it, ${width} by ${height} pixels`, shown?.seenUrl)}</div><figcaption>What the model saw, ${width} × ${height}</figcaption></figure>
          ${arrow}
          <figure><div class="frame digit" id="digit" aria-hidden="true">${shown ? shown.answer.prediction : '?'}</div><figcaption>What it reads</figcaption></figure>
        </div>
        <p class="sentence" id="sentence" role="status" aria-live="polite">${shown ? sentence(shown.answer) : 'Choose a picture or a sample to begin.'}</p>
        <h3 id="bars-title">How sure it is</h3>
        <ol class="bars" id="bars" aria-labelledby="bars-title">${classes.map((index) => renderBar(index, shown?.answer))}</ol>
      </section>`;
}

const arrow = html`<svg class="arrow" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12h14m0 0-5-5m5 5-5 5"/></svg>`;

function picture(id: string, alt: string, url: string | undefined): Html {
  return url === undefined
    ? html`<img class="shown-picture" id="${id}" alt="${alt}" hidden>`
    : html`<img class="shown-picture" id="${id}" alt="${alt}" src="${url}">`;
}

function renderBar(index: number, answer: Answer | undefined): Html {
  const share = answer?.probabilities[index] ?? 0;
  return html`
          <li${index === answer?.prediction && html` class="best"`}><span class="class">${index}</span><svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-fill" width="${(share * 100).toFixed(2)}" height="1"/></svg><span class="share">${answer ? formatShare(share) : '–'}</span></li>`;
}

/** The same sentence as result.js says. */
function sentence({ prediction, probabilities, blank }: Answer): Html {
  if (blank) return html`The picture looks blank, so this is a guess about nothing.`;
  return html`It looks like a <strong>${prediction}</strong>, ${formatShare(probabilities[prediction] ?? 0)} sure.`;
}

function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function renderCard(card: ModelCard | undefined): Html {
  if (card === undefined) return html`<p>The model is not loaded yet.</p>`;
  const { accuracy } = card;
  return html`<dl>
        <div><dt>Model</dt><dd>${card.file}</dd></div>
        <div><dt>sha256</dt><dd><code title="${card.sha256}">${card.sha256.slice(0, 12)}</code></dd></div>
        <div><dt>Input</dt><dd>${card.inputShape.join(' × ')}</dd></div>
        <div><dt>Engine</dt><dd>${card.engine}</dd></div>
        ${accuracy && html`<div><dt>Accuracy</dt><dd>${(accuracy.accuracy * 100).toFixed(2)} % of ${accuracy.examples.toLocaleString('en')} test images</dd></div>`}
      </dl>
      <p><a href="/model">As JSON</a></p>`;
}

/** The HTML of the server: the page where a picture is given and read, complete without JavaScript, and the error page. */
import { formatScale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { confusionText } from '../../lib/formats/confusions.js';
import { type Html, html, wholePage } from '../../lib/html/html.js';
import type { ModelCard } from '../models/model-card.js';
import { inputsOf } from '../models/predictor.js';
import type { Sample } from '../pictures/samples.js';
import { renderAnswer } from './answer.js';
import { type PageContent, PICTURE_TYPES, reading, type Words, wordsFor } from './page-content.js';

/** The page as a whole HTML document. */
export function renderPage(content: PageContent): string {
  const words = wordsFor(content.card);
  const { shown } = content;
  return layout({
    title: shown?.answer.digits.length ? `It reads ${reading(shown.answer, words)}` : words.title,
    content: html`<header>
      <h1>${words.title}</h1>
      <p>${words.lead}</p>
    </header>
    <main>
      <div class="column">
        ${words.readsSigns && renderPad()}
        ${renderInput(content, words)}
      </div>
      ${renderAnswer(content, words)}
      <section class="card history with-script" id="history" aria-labelledby="history-title" hidden>
        <h2 id="history-title">This visit</h2>
        <div class="past" id="past"></div>
        <p class="quiet">Kept in this tab alone. <button class="plain" type="button" id="forget">Forget them</button></p>
      </section>
      ${renderModel(content.card)}
    </main>`,
  });
}

/** Where to draw; it needs JavaScript, so without it there is none. */
function renderPad(): Html {
  return html`<section class="card draw with-script" aria-labelledby="draw-title">
          <h2 id="draw-title">Draw</h2>
          <div class="pad">
            <canvas id="pad" width="560" height="400" tabindex="0" role="img" aria-label="Drawing pad" aria-describedby="pad-hint"></canvas>
            <span class="pad-pen" id="pad-pen" hidden></span>
            <p class="pad-invitation" id="pad-invitation" aria-hidden="true">Draw here</p>
          </div>
          <div class="pad-bar">
            <output class="pad-answer" id="pad-answer" for="pad"></output>
            <button class="secondary" type="button" id="pad-undo" disabled>Undo</button>
            <button class="secondary" type="button" id="pad-clear" disabled>Clear</button>
          </div>
          <p class="error" id="pad-error" role="alert"></p>
          <p class="quiet" id="pad-hint">With a finger, a pen or the mouse. By keyboard: the arrow keys move the pen, the space bar puts it down and lifts it.</p>
        </section>`;
}

function renderInput({ samples: given, maxFileBytes }: PageContent, words: Words): Html {
  const samples = given.filter(({ isPackaged = false }) => words.isDigits || !isPackaged);
  return html`<section class="card input" aria-labelledby="input-title">
        <h2 id="input-title">Your picture</h2>
        <form class="upload" id="upload" action="/upload#answer" method="post" enctype="multipart/form-data" data-max-bytes="${maxFileBytes}">
          <div class="drop" id="drop">
            <svg class="drop-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 16V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3.5A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 1.5-1.5V15"/></svg>
            <label for="file"><strong>Choose a picture</strong><span class="with-mouse">, drop or paste one</span></label>
            <small id="file-hint">PNG, JPEG, WebP, GIF or AVIF, up to ${maxFileBytes / 1e6}\u00a0MB.<br>It is read in memory and never kept.</small>
            <input class="drop-input" type="file" id="file" name="file" required aria-describedby="file-hint error" accept="${PICTURE_TYPES}">
          </div>
          <label class="camera with-touch"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 8.5A1.5 1.5 0 0 1 5.5 7h2L9 4.5h6L16.5 7h2A1.5 1.5 0 0 1 20 8.5v9a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5z"/><circle cx="12" cy="13" r="3.5"/></svg>Take a photo<input type="file" id="camera" accept="image/*" capture="environment"></label>
          <button class="without-script" type="submit">${words.action}</button>
        </form>
        ${samples.length > 0 && renderSamples(samples, words)}
      </section>`;
}

function renderSamples(samples: readonly Sample[], { isDigits }: Words): Html {
  const labelOf = ({ name, label }: Sample) => (label === undefined || !isDigits ? name : `digit ${label}`);
  return html`<h3 id="samples-title">Or try one of these</h3>
        <ul class="samples" aria-labelledby="samples-title">${samples.map((sample) => {
          const path = `/samples/${encodeURIComponent(sample.name)}`;
          return html`
          <li><a class="sample-link" href="${path}/result" data-sample="${path}" aria-label="Sample: ${labelOf(sample)}"><img class="sample-picture" src="${path}" alt="" width="52" height="52"></a></li>`;
        })}</ul>`;
}

/** The facts of the loaded model. */
export function renderModel(card: ModelCard | undefined): Html {
  return html`<section class="card model" aria-labelledby="model-title">
        <h2 id="model-title">The model</h2>
        ${card === undefined ? html`<p class="quiet">The model is not loaded yet.</p>` : renderFacts(card)}
      </section>`;
}

function renderFacts(card: ModelCard): Html {
  const { accuracy, tested, training } = card;
  return html`<dl class="facts">
          ${accuracy && fact('Accuracy', html`${(accuracy.accuracy * 100).toFixed(2)} % of ${accuracy.examples.toLocaleString('en')} test ${card.inputShape ? 'images' : 'examples'}`)}
          ${tested && fact(`Test: ${tested.metric}`, html`${Number(tested.value.toPrecision(4))} on ${tested.examples.toLocaleString('en')} examples`)}
          ${accuracy?.confusions?.length && fact('Taken most often', html`${confusionText(accuracy.confusions, (label) => card.labels?.[label] ?? `${label}`)}`)}
          ${training && fact('Rounds', html`${training.rounds}`)}
          ${training && fact('Clients', html`${training.clients.toLocaleString('en')}`)}
          ${training && fact('Trained', html`<time datetime="${training.finishedAt}">${formatTime(training.finishedAt)}</time>`)}
          ${fact('File', html`${card.file}`)}
          ${inputsOf(card).map(({ name, shape }) => fact(card.inputShape ? 'Input' : `Input ${name}`, html`${shape.join(' × ')}`))}
          ${card.inputShape && fact('Black and white', html`${formatScale(card.scale ?? UNIT_SCALE)}`)}
          ${card.outputs === undefined && fact('Classes', html`${card.classes}`)}
          ${(card.outputs ?? []).map(({ name, shape, task }) => fact(`Output ${name}`, html`${task}, ${shape.join(' × ')}`))}
          ${fact('Engine', html`${card.engine}`)}
          <div class="wide"><dt>sha256</dt><dd><code title="${card.sha256}">${card.sha256.slice(0, 12)}</code><code class="rest" aria-hidden="true">${card.sha256.slice(12)}</code></dd></div>
        </dl>
        <p class="quiet"><a href="/model">As JSON</a></p>`;
}

function fact(name: string, value: Html): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** `2026-11-21 15:50 UTC`. */
function formatTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** A whole HTML document. */
export function layout({
  title,
  content,
  script = 'page.js',
}: {
  readonly title: string;
  readonly content: Html;
  /** Of the folder public; it does nothing where the page has not what it works with. */
  readonly script?: string;
}): string {
  return wholePage({
    title,
    head: html`<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/page.css">
  <script type="module" src="/static/${script}"></script>`,
    body: content,
  });
}

/** A page that says what went wrong and leads back. */
export function errorPage({
  status,
  message,
}: {
  readonly status: number;
  readonly message: string;
}): string {
  return layout({
    title: String(status),
    content: html`<main class="lost">
      <p class="code">${status}</p>
      <h1>${message}</h1>
      <p><a href="/">Back to the page</a></p>
    </main>`,
  });
}

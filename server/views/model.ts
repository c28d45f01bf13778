/** The model's card: how good it is, how it was trained, which file it is. */
import { formatScale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { confusionText } from '../../lib/formats/confusions.js';
import { type Html, html } from '../../lib/html/html.js';
import type { ModelCard } from '../predictor.js';

/** The facts of the loaded model. */
export function renderModel(card: ModelCard | undefined): Html {
  return html`<section class="card model" aria-labelledby="model-title">
        <h2 id="model-title">The model</h2>
        ${card === undefined ? html`<p class="quiet">The model is not loaded yet.</p>` : renderFacts(card)}
      </section>`;
}

function renderFacts(card: ModelCard): Html {
  const { accuracy, training } = card;
  return html`<dl class="facts">
          ${accuracy && fact('Accuracy', html`${(accuracy.accuracy * 100).toFixed(2)} % of ${accuracy.examples.toLocaleString('en')} test images`)}
          ${accuracy?.confusions?.length && fact('Taken most often', html`${confusionText(accuracy.confusions, (label) => card.labels?.[label] ?? `${label}`)}`)}
          ${training && fact('Rounds', html`${training.rounds}`)}
          ${training && fact('Clients', html`${training.clients.toLocaleString('en')}`)}
          ${training && fact('Trained', html`<time datetime="${training.finishedAt}">${formatTime(training.finishedAt)}</time>`)}
          ${fact('File', html`${card.file}`)}
          ${fact('Input', html`${card.inputShape.join(' × ')}`)}
          ${fact('Black and white', html`${formatScale(card.scale ?? UNIT_SCALE)}`)}
          ${fact('Classes', html`${card.classes}`)}
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

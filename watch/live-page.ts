/** The pages of a run and of the list of runs: the pieces of a report, each in a place where its next version is put. */
import { createHash } from 'node:crypto';
import helmet from 'helmet';
import { html, toText, wholePage } from '../lib/html/html.js';
import { type Page, page, pagePieces } from '../report/frame.js';
import { PAGE_SCRIPT } from '../report/page-script.js';
import { REPORT_STYLE } from '../report/style.js';
import type { News, Shown } from './live-view.js';

/** Where the script lies that puts new pieces into their places. */
const SCRIPT = '/live/page.js';

const style = html`<style>
nav { margin-bottom: 12px; font-size: .875rem; }
a { color: var(--accent); }
.piece { display: contents; }
.link { min-height: 1.5em; margin-top: 12px; color: var(--quiet); font-size: .8125rem; }
.standing { margin-top: 14px; color: var(--quiet); overflow-wrap: anywhere; }
.runs .badge { margin-left: 0; white-space: nowrap; font-size: .875rem; }
.now progress { width: 100%; max-width: 560px; height: 10px; accent-color: var(--accent); }
.runs { width: 100%; }
.runs td, .runs th { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); text-align: left; font-weight: 400; }
.runs thead th { color: var(--quiet); font-size: .875rem; }
.runs th[scope="row"] { min-width: 8em; overflow-wrap: anywhere; }
.runs .number { text-align: right; white-space: nowrap; }
.now td:nth-child(2), .now th:nth-child(2) { text-align: left; }
.now td:nth-child(n + 3) { white-space: nowrap; }
@media (max-width: 700px) {
  .runs { font-size: .875rem; }
  .runs th[scope="row"] { min-width: 6em; }
  .runs .minor { display: none; }
}
</style>`;

/** Without an icon named, browsers ask for one. */
const head = html`<link rel="icon" href="data:,">${REPORT_STYLE}${style}${PAGE_SCRIPT}`;

/** A page and where it lies. */
interface LivePage {
  readonly news: News;
  /** Address of its events; undefined where nothing will change. */
  readonly events: string | undefined;
  /** Address of the list of runs; undefined on that page. */
  readonly list?: string | undefined;
}

/** The whole document. */
export function renderLivePage({ news: { title, pieces, version }, events, list }: LivePage): string {
  const places = (group: 'above' | 'main' | 'below') =>
    Object.entries(pieces)
      .filter(([name]) => groupOf(name) === group)
      .map(
        ([name, piece]) => html`<div class="piece" data-piece="${name}">${piece}</div>
  `,
      );
  return wholePage({
    title,
    head: html`${head}${events !== undefined && html`<script type="module" src="${SCRIPT}"></script>`}`,
    body: html`${list !== undefined && html`<nav><a href="${list}">All runs</a></nav>`}
  ${places('above')}
  ${events !== undefined && html`<p class="link" id="link" role="status" data-events="${events}" data-seen="${version}"></p>`}
  <main>
  ${places('main')}</main>
  ${places('below')}`,
  });
}

const MAIN = 'main-';
const FOOT = 'foot';

const groupOf = (name: string) => (name.startsWith(MAIN) ? 'main' : name === FOOT ? 'below' : 'above');

/** What a report says, in pieces. */
export function shownPieces(content: Page): Shown['pieces'] {
  const { top, alarm, figures, main, foot } = pagePieces(content);
  return {
    top,
    alarm: alarm ?? html``,
    figures,
    ...Object.fromEntries(main.map((section, at) => [`${MAIN}${at}`, section ?? html``])),
    [FOOT]: foot,
  };
}

/** A page that says what went wrong. */
export const renderProblem = ({
  status,
  message,
}: {
  readonly status: number;
  readonly message: string;
}): string =>
  page({
    ...{ command: 'watch', title: `${status}`, lead: message },
    ...{ figures: [], main: [html`<p><a href="/runs">All runs</a></p>`], foot: html`` },
  });

/** `'sha256-…'` of each style sheet and script in the head: nothing else that stands in a page is one. */
const inline = (element: 'style' | 'script') =>
  [...toText(head).matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g'))].map(
    ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  );

/** The headers of the pages: they run and load nothing but what is ours, and no other site shows or reads them. */
export function pageHeaders({ isTls }: { readonly isTls: boolean }) {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'", ...inline('script')],
        styleSrc: inline('style'),
        // Cells are shaded by attributes, in which stands nothing but numbers.
        styleSrcAttr: ["'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // As for the other pages of a server: by plain HTTP, browsers complain about these.
    strictTransportSecurity: isTls,
    crossOriginOpenerPolicy: isTls,
    originAgentCluster: isTls,
  });
}

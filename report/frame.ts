/** The frame of a report: its head, its figures, what it says, and facts in rows. */
import { type Html, html, wholePage } from '../lib/html/html.js';
import { PAGE_SCRIPT } from './page-script.js';
import { REPORT_STYLE } from './style.js';

/** A large figure of the head: what it is, its value, and what else is to be known. */
export type HeadFigure = readonly [name: string, value: string, note?: string | undefined];

/** What a page says. */
export interface Page {
  /** The command that it tells of. */
  readonly command: string;
  /** What it is called, in the head and by the browser. */
  readonly title: string;
  /** A style sheet of what this page alone has. */
  readonly look?: Html;
  /** How it stands: a word, and the tone in which it is shown. */
  readonly state?: PageState | undefined;
  /** What came out, in a sentence. */
  readonly headline?: string | undefined;
  /** What it is, in a sentence below the title. */
  readonly lead: string;
  /** What is not as it should be. */
  readonly alarm?: Html | undefined;
  readonly figures: readonly HeadFigure[];
  /** One below the other; those that are undefined have nothing to tell yet. */
  readonly main: readonly (Html | undefined)[];
  readonly foot: Html;
}

/** How what a page tells of stands. */
export interface PageState {
  readonly word: string;
  readonly tone: 'good' | 'bad' | 'open';
}

/** The whole document, its style sheet and its script in it. */
export function page(content: Page): string {
  const { top, alarm, figures, main, foot } = pagePieces(content);
  return wholePage({
    title: content.title,
    head: html`${REPORT_STYLE}${content.look}${PAGE_SCRIPT}`,
    body: html`${top}
  ${alarm}
  ${figures}
  <main>
  ${main.map((section) => html`${section}`)}
  </main>
  ${foot}`,
  });
}

/** What a page says, as finished pieces from top to bottom. */
export function pagePieces({ command, title, state, headline, lead, alarm, figures, main, foot }: Page) {
  return {
    top: html`<header>
    <p class="eyebrow">fedbatch ${command}${state && html` <span class="badge ${state.tone}">${state.word}</span>`}</p>
    <h1>${title}</h1>
    ${headline !== undefined && html`<p class="headline">${headline}</p>`}
    <p class="lead">${lead}</p>
  </header>`,
    alarm,
    figures: html`<dl class="figures">${figures.map(([name, value, note]) => html`<div><dt>${name}</dt><dd>${value}${note !== undefined && html`<small>${note}</small>`}</dd></div>`)}</dl>`,
    main,
    foot: html`<footer>${foot}</footer>`,
  };
}

/** Names and values, a line for each. */
export const factRows = (facts: readonly (readonly [name: string, value: string | Html])[]): Html =>
  html`<dl class="rows">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

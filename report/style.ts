/** The frame of a report and its look: calm, light or dark by the reader's setting, one column on a phone, fit to print. */
import { type Html, html } from '../lib/html/html.js';
import { wholePage } from '../lib/html/page.js';

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
  /** A sentence below the title. */
  readonly lead: string;
  /** What is not as it should be. */
  readonly alarm?: Html | undefined;
  readonly figures: readonly HeadFigure[];
  /** One below the other; those that are undefined have nothing to tell yet. */
  readonly main: readonly (Html | undefined)[];
  readonly foot: Html;
}

/** The whole document, its style sheet in it. */
export function page(content: Page): string {
  const { top, alarm, figures, main, foot } = pagePieces(content);
  return wholePage({
    title: content.title,
    head: html`${REPORT_STYLE}${content.look}`,
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
export function pagePieces({ command, title, lead, alarm, figures, main, foot }: Page) {
  return {
    top: html`<header>
    <p class="eyebrow">fedbatch ${command}</p>
    <h1>${title}</h1>
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

/** The look of every report, as an element of its head. */
export const REPORT_STYLE = html`<style>
:root {
  color-scheme: light dark;
  --page: #f5f5f2; --card: #fff; --ink: #1b1d22; --quiet: #62666f; --line: #e2e2dc; --track: #ecece7;
  --accent: #3453d1; --wrong: #b3261e; --missing: #b7791f; --target: #1a7f4b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #111318; --card: #1a1d24; --ink: #eceef2; --quiet: #a0a6b1; --line: #2c3039; --track: #262a33;
    --accent: #92a6ff; --wrong: #ff9d94; --missing: #e6b455; --target: #6fd3a0;
  }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  max-width: 1040px; margin: 0 auto; padding: clamp(20px, 4vw, 44px) clamp(14px, 4vw, 32px) 28px;
  background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  -webkit-text-size-adjust: 100%;
}
h1, h2, h3, p, ul, dl, dd, figure { margin: 0; padding: 0; }
h1 { font-size: clamp(1.5rem, 5vw, 2.2rem); font-weight: 680; line-height: 1.2; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { margin-bottom: 14px; font-size: 1.15rem; font-weight: 640; }
h3 { margin: 18px 0 8px; color: var(--quiet); font-size: .875rem; font-weight: 560; }
.eyebrow { color: var(--quiet); font-size: .875rem; }
.lead, .note, figcaption, footer { color: var(--quiet); }
.note, figcaption { margin-top: 8px; font-size: .875rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; margin-top: 20px; }
.card { padding: clamp(16px, 3vw, 28px); border: 1px solid var(--line); border-radius: 16px; background: var(--card); }
.alarm { margin-top: 16px; padding: 12px 16px; border: 1px solid var(--wrong); border-radius: 12px; }
.figures { display: flex; flex-wrap: wrap; gap: 12px 36px; margin-top: 22px; }
.figures dt { color: var(--quiet); font-size: .875rem; }
.figures dd { font-size: clamp(1.5rem, 5vw, 2rem); font-weight: 660; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figures small { display: block; color: var(--quiet); font-size: .8125rem; font-weight: 400; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 20px 32px; }
.pair h3 { margin-top: 0; }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 2px 32px; }
.rows div { display: flex; justify-content: space-between; gap: 16px; padding: 4px 0; border-bottom: 1px solid var(--line); }
.rows dt { color: var(--quiet); }
.rows dd { text-align: right; overflow-wrap: anywhere; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
figure { margin-top: 6px; }
.chart { display: block; width: 100%; max-width: 560px; height: auto; }
.chart.wide { max-width: 800px; margin-top: 14px; }
.chart text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); }
.curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.band { fill: var(--accent); opacity: .2; }
.dot { fill: var(--accent); }
.target { stroke: var(--target); stroke-dasharray: 5 4; }
.chart .target-label { fill: var(--target); }
.chart .reported, .cell, .bar-fill { fill: var(--accent); }
.chart .rejected { fill: var(--wrong); }
.chart .missing { fill: var(--missing); }
.chart .size { fill: var(--quiet); opacity: .6; }
.field { fill: var(--track); opacity: .5; }
.key { display: inline-block; width: .75em; height: .75em; margin: 0 .35em 0 .9em; border-radius: 3px; }
.key:first-child { margin-left: 0; }
.key.reported { background: var(--accent); }
.key.rejected { background: var(--wrong); }
.key.missing { background: var(--missing); }
.reasons { list-style: none; }
.reasons li { padding: 6px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.reasons small { display: block; color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--accent); }
details table { width: 100%; margin-top: 10px; font-size: .875rem; }
details th, details td { padding: 4px 8px; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; }
details thead th { color: var(--quiet); }
.bars { width: 100%; max-width: 560px; }
.bars th { padding: 3px 12px 3px 0; text-align: left; font-weight: 500; }
.bars td { padding: 3px 0 3px 10px; text-align: right; white-space: nowrap; }
.bars .bar { width: 60%; padding-left: 0; }
.bars svg { display: block; width: 100%; height: 10px; border-radius: 5px; background: var(--track); }
.bars .histogram { width: 140px; height: 28px; border-radius: 0; background: none; }
.bars .total th, .bars .total td { border-top: 1px solid var(--line); }
.figures-table { font-size: .875rem; }
.figures-table th, .figures-table td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; }
.figures-table tr > :first-child { text-align: left; }
.figures-table thead th { color: var(--quiet); }
.quiet { color: var(--quiet); }
.matrix { font-size: .8125rem; }
.matrix th { padding: 2px 6px; color: var(--quiet); font-weight: 500; }
.matrix td {
  min-width: 2.2em; height: 2.2em; padding: 0 3px; border: 1px solid var(--card); border-radius: 5px; text-align: center;
  background: color-mix(in srgb, var(--tone) calc(var(--shade) * 100%), transparent);
}
.matrix .right { --tone: color-mix(in srgb, var(--accent) 60%, transparent); }
.matrix .wrong { --tone: color-mix(in srgb, var(--wrong) 60%, transparent); }
.matrix.small td, .matrix.small th { min-width: 0; width: 7px; height: 7px; padding: 0; border-width: 0; border-radius: 0; font-size: 0; }
.hidden { position: absolute; clip-path: inset(50%); }
footer { margin-top: 24px; font-size: .8125rem; }
@media (max-width: 600px) {
  .chart text { font-size: 14px; }
  .chart.wide text { font-size: 20px; }
}
@media print { body { max-width: none; background: none; } .card { break-inside: avoid; } }
</style>`;

/** The look of a report: calm, light or dark by the reader's setting, one column on a phone, fit to print. */
import { html } from '../lib/html/html.js';

/** The look of every report, as an element of its head. */
export const REPORT_STYLE = html`<style>
:root {
  color-scheme: light dark;
  --page: #f5f5f2; --card: #fff; --ink: #1b1d22; --quiet: #62666f; --line: #e2e2dc; --track: #ecece7;
  --accent: #3453d1; --wrong: #b3261e; --missing: #b7791f; --target: #1a7f4b;
  --c1: #c2410c; --c2: #0f766e; --c3: #a21caf; --c4: #8a6100; --c5: #0369a1; --c6: #be185d; --c7: #57606f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #111318; --card: #1a1d24; --ink: #eceef2; --quiet: #a0a6b1; --line: #2c3039; --track: #262a33;
    --accent: #92a6ff; --wrong: #ff9d94; --missing: #e6b455; --target: #6fd3a0;
    --c1: #ff9e64; --c2: #5eead4; --c3: #e59bf2; --c4: #e8c268; --c5: #7cc8f5; --c6: #ff94bb; --c7: #a9b4c4;
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
.headline { margin-top: 8px; font-size: clamp(1.05rem, 3vw, 1.25rem); line-height: 1.4; }
.badge { margin-left: .5em; padding: .15em .7em; border: 1px solid currentColor; border-radius: 1em; font-weight: 600; }
.badge.good { color: var(--target); }
.badge.bad { color: var(--wrong); }
.badge.open { color: var(--accent); }
.lead { margin-top: 4px; }
.lead, .note, figcaption, footer { color: var(--quiet); }
.note, figcaption { margin-top: 8px; font-size: .875rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; margin-top: 20px; }
.card { padding: clamp(16px, 3vw, 28px); border: 1px solid var(--line); border-radius: 16px; background: var(--card); }
.alarm { margin-top: 16px; padding: 12px 16px; border: 1px solid var(--wrong); border-radius: 12px; }
.figures { display: flex; flex-wrap: wrap; gap: 12px 36px; margin-top: 22px; }
.figures dt { color: var(--quiet); font-size: .875rem; }
.figures dd { font-size: clamp(1.5rem, 5vw, 2rem); font-weight: 660; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figures small { display: block; color: var(--quiet); font-size: .8125rem; font-weight: 400; }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 20px 32px; }
.pair h3:first-child { margin-top: 0; }
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
.curve { fill: none; stroke: var(--tone, var(--accent)); stroke-width: 2; stroke-linejoin: round; }
.band { fill: var(--tone, var(--accent)); opacity: .2; }
.dot { fill: var(--tone, var(--accent)); }
.c1 { --tone: var(--c1); } .c2 { --tone: var(--c2); } .c3 { --tone: var(--c3); } .c4 { --tone: var(--c4); }
.c5 { --tone: var(--c5); } .c6 { --tone: var(--c6); } .c7 { --tone: var(--c7); }
.curve.d1 { stroke-dasharray: 7 3; } .curve.d2 { stroke-dasharray: 2 3; }
.at rect { fill: transparent; }
.at line { stroke: var(--quiet); opacity: 0; }
.at:hover line { opacity: .7; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; }
.legend > span { display: inline-flex; align-items: center; gap: 6px; overflow-wrap: anywhere; }
.swatch { flex: none; width: 24px; height: 8px; }
.readout {
  position: fixed; z-index: 1; max-width: min(320px, 90vw); padding: 6px 10px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); color: var(--ink); box-shadow: 0 4px 16px #0003; font-size: .8125rem; white-space: pre-line; pointer-events: none;
}
.readout[hidden] { display: none; }
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
.bars { width: 100%; max-width: 560px; }
.bars th { padding: 3px 12px 3px 0; text-align: left; font-weight: 500; }
.bars td { padding: 3px 0 3px 10px; text-align: right; white-space: nowrap; }
.bars .bar { width: 60%; padding-left: 0; }
.bars svg { display: block; width: 100%; height: 10px; border-radius: 5px; background: var(--track); }
.histogram { display: block; width: 140px; height: 28px; border-radius: 0; background: none; }
.bars .total th, .bars .total td { border-top: 1px solid var(--line); }
.figures-table { width: 100%; margin-top: 6px; font-size: .875rem; }
.figures-table th, .figures-table td { padding: 4px 8px; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; }
.figures-table td { white-space: nowrap; }
.figures-table tr > :first-child { padding-left: 0; text-align: left; }
.figures-table thead th { color: var(--quiet); vertical-align: bottom; }
.sortable button { padding: 0; border: 0; background: none; color: inherit; font: inherit; text-align: inherit; cursor: pointer; }
.sortable button:hover, .sortable [aria-sort] button { color: var(--ink); text-decoration: underline; }
.sortable [aria-sort="ascending"] button::after { content: " ↑"; }
.sortable [aria-sort="descending"] button::after { content: " ↓"; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
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
.told { padding-left: 1.2em; font-size: .875rem; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: 14px; padding: 0; list-style: none; }
.mistakes img { display: block; width: 100%; max-width: 112px; border: 1px solid var(--line); border-radius: 8px; image-rendering: pixelated; }
.mistakes strong, .mistakes small { display: block; font-size: .8125rem; overflow-wrap: anywhere; }
.mistakes small { color: var(--quiet); }
.span.split { fill: var(--c7); } .span.train { fill: var(--accent); } .span.aggregate { fill: var(--c1); } .span.evaluate { fill: var(--target); }
.key.split { background: var(--c7); } .key.train { background: var(--accent); } .key.aggregate { background: var(--c1); } .key.evaluate { background: var(--target); }
.scale { display: inline-flex; align-items: center; gap: 8px; }
.scale svg { width: 120px; height: 10px; background: var(--track); }
pre { margin: 8px 0 0; padding: 10px 14px; border-radius: 10px; background: var(--track); overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.hash { display: block; font-size: .75rem; overflow-wrap: anywhere; }
.hashes .rows { grid-template-columns: minmax(0, 1fr); }
.hashes dt { flex: none; }
footer { margin-top: 24px; font-size: .8125rem; }
@media (max-width: 600px) {
  .chart text { font-size: 14px; }
  .chart.wide text { font-size: 20px; }
}
@media print {
  :root {
    color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --quiet: #444; --line: #ccc; --track: #eee;
    --accent: #3453d1; --wrong: #b3261e; --missing: #b7791f; --target: #1a7f4b;
    --c1: #c2410c; --c2: #0f766e; --c3: #a21caf; --c4: #8a6100; --c5: #0369a1; --c6: #be185d; --c7: #57606f;
  }
  * { print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .card { padding: 12px 0; border-width: 1px 0 0; border-radius: 0; }
  h2, h3, summary, figure, tr, .mistakes li { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  .scroll { overflow: visible; }
  .figures-table td { white-space: normal; }
  .readout { display: none; }
}
</style>`;

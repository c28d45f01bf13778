/** What the accuracy test found of the newest global model: per class, and what is taken for what. */
import { max, sum } from 'd3-array';
import { confusionText, matrixOf, worstConfusions } from '../../lib/formats/confusions.js';
import { type Html, html } from '../../lib/html/html.js';
import { barTable } from '../charts/bar-table.js';
import { coordinate, grouped, metricText, percent } from '../format.js';
import type { ReportedAccuracy, RunRecords } from '../records.js';
import { factRows } from '../style.js';

/** With more classes only the weakest, and no numbers in the matrix. */
export const MOST_CLASSES = 20;
const MOST_NUMBERS = 12;
/** With more classes a matrix shows nothing. */
const MOST_CELLS = 100;
/** Mistakes that are told. */
export const MOST_CONFUSIONS = 5;

/** Accuracy per class and confusion matrix; nothing where the model was not tested. */
export function testResult({ accuracy }: RunRecords): Html | undefined {
  if (accuracy === undefined) return undefined;
  if (accuracy.perClass === undefined) return metricTable(accuracy);
  return html`<section class="card">
    <h2>What it gets right</h2>
    <div class="pair">
      <div><h3>Accuracy per class</h3>${classBars(accuracy)}</div>
      <div><h3>Confusion matrix</h3>${matrix(accuracy)}${worst(accuracy)}</div>
    </div>
  </section>`;
}

/** What was found of a task that has no classes. */
function metricTable({ task, metrics = {}, examples }: ReportedAccuracy): Html {
  return html`<section class="card">
    <h2>What the test found</h2>
    ${factRows(Object.entries(metrics).map(([name, value]) => [name, metricText(name, value)]))}
    <p class="note">Of ${task}, on ${grouped(examples)} test examples.</p>
  </section>`;
}

/** The classes that test examples have; of many the weakest, and what they are called together. */
export function testedClasses({ perClass = [] }: Pick<ReportedAccuracy, 'perClass'>) {
  const classes = perClass.flatMap((each) =>
    each.accuracy === null ? [] : [{ ...each, accuracy: each.accuracy }],
  );
  if (classes.length <= MOST_CLASSES) return { classes };
  const title = `The weakest ${MOST_CLASSES} of ${classes.length} classes`;
  return { title, classes: classes.sort((a, b) => a.accuracy - b.accuracy).slice(0, MOST_CLASSES) };
}

function classBars(accuracy: ReportedAccuracy): Html {
  const { title, classes } = testedClasses(accuracy);
  return html`${title && html`<p class="note">${title}</p>`}
    ${barTable(
      classes.map((each) => ({
        name: each.class,
        share: each.accuracy,
        value: percent(each.accuracy, 1),
        note: `of ${grouped(each.examples)}`,
      })),
    )}`;
}

/** Of many classes there is a row for those that occur alone: their largest number tells. */
function matrix({ perClass = [], confusions = [] }: ReportedAccuracy): Html | undefined {
  const classes =
    1 + (max([...perClass.map((each) => each.class), ...confusions.map(([, each]) => each)]) ?? 0);
  if (classes > MOST_CELLS) return undefined;
  const confusion = matrixOf(confusions, classes);
  const hasNumbers = confusion.length <= MOST_NUMBERS;
  const errors =
    max(confusion, (row, label) => max(row, (each, at) => (at === label ? 0 : each / sum(row)))) ?? 0;
  const cell = (row: readonly number[], label: number, predicted: number) => {
    const number = row[predicted] ?? 0;
    const share = number / Math.max(1, sum(row));
    const isRight = label === predicted;
    const shade = isRight ? share : Math.sqrt(share / Math.max(errors, 1e-9));
    return html`<td class="${isRight ? 'right' : 'wrong'}" style="--shade:${coordinate(number === 0 ? 0 : 0.12 + 0.7 * shade)}" title="${number} of ${sum(row)} with label ${label} taken for ${predicted}">${hasNumbers && number > 0 && grouped(number)}</td>`;
  };
  return html`<div class="scroll"><table class="matrix${hasNumbers ? '' : ' small'}">
    <thead><tr><th><span class="hidden">label</span></th>${confusion.map((_, predicted) => html`<th scope="col">${predicted}</th>`)}</tr></thead>
    <tbody>${confusion.map((row, label) => html`<tr><th scope="row">${label}</th>${row.map((_, predicted) => cell(row, label, predicted))}</tr>`)}</tbody>
  </table></div>
  <p class="note">Rows: the label. Columns: what the model takes it for.</p>`;
}

function worst({ confusions = [] }: ReportedAccuracy): Html {
  const wrong = worstConfusions(confusions, MOST_CONFUSIONS);
  if (wrong.length === 0) return html`<p class="note">No test example was taken for another class.</p>`;
  return html`<p class="note">Taken most often: ${confusionText(wrong)}.</p>`;
}

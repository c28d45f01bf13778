/** What the accuracy test found of the newest global model: per class, and what is taken for what. */
import { max, sum } from 'd3-array';
import { matrixOf, worstConfusions } from '../../lib/formats/confusions.js';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate, grouped, lossText, metricText, percent } from '../format.js';
import { factRows } from '../frame.js';
import type { PicturedMistake } from '../mistakes.js';
import type { ReportedAccuracy } from '../records.js';
import type { ReportRecords } from '../report-records.js';
import { barTable, type FigureColumn, figuresTable } from '../table.js';

/** With more classes only the weakest, and no numbers in the matrix. */
export const MOST_CLASSES = 20;
const MOST_NUMBERS = 12;
/** With more classes a matrix shows nothing. */
const MOST_CELLS = 100;
/** Mistakes that are told. */
export const MOST_CONFUSIONS = 5;

/** Accuracy per class, confusion matrix and the worst mistakes; nothing where the model was not tested. */
export function testResult({ accuracy, mistakes = [], manifest }: ReportRecords): Html | undefined {
  if (accuracy === undefined) return undefined;
  const nameOf = (label: number) => manifest?.classNames?.[label] ?? `${label}`;
  const worst = mistakes.length > 0 && worstMistakes(mistakes, { nameOf, target: manifest?.target?.column });
  if (accuracy.perClass === undefined) return metricTable(accuracy, worst);
  return html`<section class="card">
    <h2>What it gets right</h2>
    <div class="pair">
      <div><h3>Accuracy per class</h3>${classBars(accuracy, nameOf)}</div>
      <div><h3>Confusion matrix</h3>${matrix(accuracy, nameOf)}${confusionList(accuracy, nameOf)}</div>
    </div>
    ${worst}
  </section>`;
}

type NameOf = (label: number) => string;

/** What was found of a task that has no classes. */
function metricTable({ task, metrics = {}, examples }: ReportedAccuracy, worst: Html | false): Html {
  return html`<section class="card">
    <h2>What the test found</h2>
    ${factRows(Object.entries(metrics).map(([name, value]) => [name, metricText(name, value)]))}
    <p class="note">Of ${task}, on ${grouped(examples)} test examples.</p>
    ${worst}
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

function classBars(accuracy: ReportedAccuracy, nameOf: NameOf): Html {
  const { title, classes } = testedClasses(accuracy);
  return html`${title && html`<p class="note">${title}</p>`}
    ${barTable(
      classes.map((each) => ({
        name: nameOf(each.class),
        share: each.accuracy,
        value: percent(each.accuracy, 1),
        note: `of ${grouped(each.examples)}`,
      })),
    )}`;
}

/** Of many classes there is a row for those that occur alone: their largest number tells. */
function matrix({ perClass = [], confusions = [] }: ReportedAccuracy, nameOf: NameOf): Html | undefined {
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
    return html`<td class="${isRight ? 'right' : 'wrong'}" style="--shade:${coordinate(number === 0 ? 0 : 0.12 + 0.7 * shade)}" title="${number} of ${sum(row)} with label ${nameOf(label)} taken for ${nameOf(predicted)}">${hasNumbers && number > 0 && grouped(number)}</td>`;
  };
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Confusion matrix"><table class="matrix${hasNumbers ? '' : ' small'}">
    <thead><tr><th><span class="hidden">label</span></th>${confusion.map((_, predicted) => html`<th scope="col">${nameOf(predicted)}</th>`)}</tr></thead>
    <tbody>${confusion.map((row, label) => html`<tr><th scope="row">${nameOf(label)}</th>${row.map((_, predicted) => cell(row, label, predicted))}</tr>`)}</tbody>
  </table></div>
  <p class="note">Rows: the label. Columns: what the model takes it for.</p>`;
}

function confusionList({ confusions = [] }: ReportedAccuracy, nameOf: NameOf): Html {
  const wrong = worstConfusions(confusions, MOST_CONFUSIONS);
  if (wrong.length === 0) return html`<p class="note">No test example was taken for another class.</p>`;
  return html`<h3>Taken for another class most often</h3>
  <ul class="told">${wrong.map(([label, predicted, count]) => html`<li>${nameOf(label)} read as ${nameOf(predicted)}: ${grouped(count)} ${count === 1 ? 'time' : 'times'}</li>`)}</ul>`;
}

/** What was answered wrong with the largest loss: pictures where the inputs are images, else rows. */
function worstMistakes(
  mistakes: readonly PicturedMistake[],
  { nameOf, target = 'target' }: { readonly nameOf: NameOf; readonly target?: string | undefined },
): Html {
  const told = ({ label, predicted, wanted = [], answered = [] }: PicturedMistake) =>
    label !== undefined && predicted !== undefined
      ? `${nameOf(label)} read as ${nameOf(predicted)}`
      : `${answered.map(figure).join(', ')} instead of ${wanted.map(figure).join(', ')}`;
  const figure = (value: number) => `${Number(value.toPrecision(4))}`;
  const [first] = mistakes;
  const pictures =
    first?.png !== undefined &&
    html`<ul class="mistakes">${mistakes.map(
      (each) =>
        html`<li>${each.png !== undefined && html`<img alt="${`Test example ${each.example}`}" src="data:image/png;base64,${each.png}">`}<strong>${told(each)}</strong><small>loss ${lossText(each.loss)}</small></li>`,
    )}</ul>`;
  const names = first?.features?.map(([name]) => name) ?? [];
  const rows =
    !pictures &&
    figuresTable(mistakes, {
      title: 'The worst mistakes',
      columns: [
        { title: 'test example', cell: ({ example }) => grouped(example) },
        { title: first?.label === undefined ? `answer, ${target}` : 'mistake', cell: told },
        { title: 'loss', by: ({ loss }) => loss, cell: ({ loss }) => lossText(loss) },
        ...names.map(
          (name, at): FigureColumn<PicturedMistake> => ({
            title: name,
            cell: ({ features }) => figure(features?.[at]?.[1] ?? Number.NaN),
          }),
        ),
      ],
    });
  return html`<h3>The worst mistakes: wrong with the largest loss</h3>${pictures}${rows}`;
}

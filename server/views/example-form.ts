/** The forms of a page: one with a field for whatever a model takes, and one for a table of many examples. */
import { sizeOf } from '../../lib/core/weights.js';
import { type Html, html } from '../../lib/html/html.js';
import { isText } from '../codecs/written-numbers.js';
import type { ModelCard } from '../models/model-card.js';
import { inputsOf } from '../models/predictor.js';
import { columnNames, type ServedColumn, type ServedInput } from '../models/served-facts.js';
import { FIELD_PREFIX } from '../pictures/upload.js';
import { PICTURE_TYPES } from './page-content.js';

/** Inputs of so few numbers have a field for each. */
const MOST_FIELDS = 64;
/** Without names fields are told apart by their place: of so many that is still to be seen. */
const MOST_UNNAMED = 16;
/** More categories are no list to choose from: they are typed. */
const MOST_CHOICES = 1_000;

/** What was given for each input, as it stands in the form. */
export type GivenFields = Readonly<Record<string, readonly string[]>>;

interface FormSettings {
  readonly given?: GivenFields | undefined;
  readonly maxFileBytes: number;
}

/** The form of one example. */
export function renderExampleForm(card: ModelCard, { given, maxFileBytes }: FormSettings): Html {
  const inputs = inputsOf(card);
  return html`<section class="card input" aria-labelledby="input-title">
          <h2 id="input-title">An example</h2>
          <form class="example" action="/predict#answer" method="post" enctype="multipart/form-data">
            ${inputs.map((input, at) => renderInput(input, { at, given: given?.[input.name] ?? [], maxFileBytes, isOnly: inputs.length === 1 }))}
            <button type="submit">Ask</button>
          </form>
        </section>`;
}

/** Whether many examples of a model fit into a table. */
export const takesTables = (card: ModelCard): boolean => !inputsOf(card).some(({ isPicture }) => isPicture);

/** The form of many examples; the columns are told where they have names. */
export function renderTableForm(card: ModelCard, { maxFileBytes }: FormSettings): Html {
  const inputs = inputsOf(card);
  const columns = inputs.flatMap(columnNames);
  const size = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const isNamed = columns.length === size;
  const what = isNamed
    ? html`with the columns ${columns.slice(0, 12).join(', ')}${columns.length > 12 && ` and ${columns.length - 12} more`}; others are kept beside the answers`
    : html`with the ${size} numbers of ${inputs.length > 1 ? 'all inputs' : 'the input'} in each line`;
  return html`<section class="card" aria-labelledby="table-title">
          <h2 id="table-title">Many examples</h2>
          <form class="table" action="/predict#answer" method="post" enctype="multipart/form-data">
            <div class="drop">
              <label for="table"><strong>Choose a file</strong><span class="with-mouse">, or drop one here</span></label>
              <small id="table-hint">CSV or Parquet ${what}. Or JSON such as {"instances": [...]}. Up to ${maxFileBytes / 1e6}\u00a0MB.</small>
              <output class="chosen" for="table"></output>
              <input class="drop-input" type="file" id="table" name="file" required aria-describedby="table-hint" accept=".csv,.tsv,.parquet,.json,text/csv,application/json">
            </div>
            <div class="choices"><button type="submit">Show answers</button><button class="secondary" type="submit" name="format" value="csv">Download CSV</button></div>
          </form>
        </section>`;
}

interface InputSettings {
  /** The place of the input among the others. */
  readonly at: number;
  /** What stands in its fields. */
  readonly given: readonly string[];
  readonly maxFileBytes: number;
  /** Whether the model has no other: what its layers are called tells nobody anything then. */
  readonly isOnly: boolean;
}

function renderInput(input: ServedInput, settings: InputSettings): Html {
  const { name, shape, columns } = input;
  const size = sizeOf(shape);
  if (input.isPicture) return renderPicture(input, settings);
  if (isText(input)) return renderText(input, settings);
  const isPlain = columns !== undefined || shape.length <= 1;
  if (!isPlain || size > (columns === undefined ? MOST_UNNAMED : MOST_FIELDS))
    return renderList(input, settings);
  const names = columnNames(input);
  if (size === 1)
    return html`<div class="fields">${renderField(input, { ...settings, field: 0, label: names[0] ?? name })}</div>`;
  return html`<fieldset><legend>${name}${columns === undefined && html` <small>${hintOf(input)}</small>`}</legend><div class="fields">${Array.from(
    { length: size },
    (_, field) => renderField(input, { ...settings, field, label: names[field] ?? String(field + 1) }),
  )}</div></fieldset>`;
}

interface FieldSettings extends InputSettings {
  readonly field: number;
  readonly label: string;
}

/** The field of one number, or of one category. */
function renderField(input: ServedInput, { at, given, field, label }: FieldSettings): Html {
  const { name, categories, takesUnknown } = input;
  const id = `input-${at}-${field}`;
  const value = given[field] ?? '';
  const column = input.columns?.[field];
  // Beside numbered fields their input is named once, for all; whoever hears a field alone hears the input too.
  const isNumbered = input.columns === undefined && label !== name;
  const spoken = isNumbered && html` aria-label="${name} ${label}"`;
  if (categories !== undefined && categories.length > MOST_CHOICES)
    return html`<label class="field" for="${id}"><span>${label}</span><input type="text" id="${id}" name="${FIELD_PREFIX + name}"${takesUnknown ? '' : html` required`} value="${value}" aria-describedby="${id}-kinds"><small id="${id}-kinds">one of ${categories.length.toLocaleString('en')}, such as ${categories[0] ?? ''}</small></label>`;
  if (categories !== undefined)
    return html`<label class="field" for="${id}"><span>${label}</span><select id="${id}" name="${FIELD_PREFIX + name}"${takesUnknown ? '' : html` required`}><option value="">${takesUnknown ? 'unknown' : 'choose…'}</option>${categories.map((each) => html`<option value="${each}"${each === value && html` selected`}>${each}</option>`)}</select></label>`;
  const isWhole = input.isInteger || input.below !== undefined;
  const limits = input.below === undefined ? '' : html` min="0" max="${input.below - 1}"`;
  const range = rangeOf(column);
  const isOptional = column?.missing !== undefined;
  return html`<label class="field" for="${id}"><span>${label}${column?.unit !== undefined && html` <small>${column.unit}</small>`}</span><input type="number" id="${id}" name="${FIELD_PREFIX + name}" step="${isWhole ? '1' : 'any'}" inputmode="decimal"${limits}${spoken}${isOptional ? '' : html` required`} value="${value}"${range !== undefined && html` aria-describedby="${id}-range"`}>${range !== undefined && html`<small id="${id}-range">${range}</small>`}</label>`;
}

/** Between which numbers the examples of the training lay. */
function rangeOf({ least, most, missing }: ServedColumn = { name: '' }): string | undefined {
  const range = least === undefined || most === undefined ? [] : [`${short(least)} to ${short(most)}`];
  const stand = missing === undefined ? [] : [`empty: ${short(missing)}`];
  return range.length + stand.length === 0 ? undefined : [...range, ...stand].join('; ');
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

function hintOf({ isInteger, below, shape }: ServedInput): string {
  const what = isInteger || below !== undefined ? 'whole numbers' : 'numbers';
  const range = below === undefined ? '' : ` from 0 to ${below - 1}`;
  return `${what}${range}${shape.length > 1 ? `, ${shape.join(' × ')}` : ''}`;
}

/** Many numbers, as a list or as lists within lists. */
function renderList(input: ServedInput, { at, given }: InputSettings): Html {
  const id = `input-${at}`;
  const what = input.categories === undefined ? hintOf(input) : `${sizeOf(input.shape)} categories`;
  return html`<div class="row"><label for="${id}">${input.name}</label><textarea id="${id}" name="${FIELD_PREFIX + input.name}" rows="5" required aria-describedby="${id}-hint">${given[0] ?? ''}</textarea><small id="${id}-hint">${what}: JSON such as ${skeleton(input.shape)}, or separated by commas</small></div>`;
}

/** `[[0, 0, …], …]` */
function skeleton(shape: readonly number[]): string {
  const [extent = 1, ...inner] = shape;
  if (inner.length === 0)
    return `[${extent > 2 ? '0, 0, …' : Array.from({ length: extent }, () => 0).join(', ')}]`;
  return `[${skeleton(inner)}${extent > 1 ? ', …' : ''}]`;
}

function renderText(input: ServedInput, { at, given }: InputSettings): Html {
  const id = `input-${at}`;
  return html`<div class="row"><label for="${id}">${input.name}</label><textarea id="${id}" name="${FIELD_PREFIX + input.name}" rows="4" required aria-describedby="${id}-hint">${given[0] ?? ''}</textarea><small id="${id}-hint">a text of at least ${sizeOf(input.shape)} characters; the last ${sizeOf(input.shape)} count</small></div>`;
}

function renderPicture({ name, shape }: ServedInput, { at, maxFileBytes, isOnly }: InputSettings): Html {
  const id = `input-${at}`;
  const [height, width, channels] = shape;
  return html`<div class="row"><span class="name" id="${id}-name">${isOnly ? 'A picture' : name}</span>
              <div class="drop picture">
                <img class="preview" alt="" hidden>
                <label for="${id}"><strong>Choose a picture</strong><span class="with-mouse">, or drop one here</span></label>
                <small id="${id}-hint">PNG, JPEG, WebP, GIF or AVIF of any size, up to ${maxFileBytes / 1e6}\u00a0MB; the model sees ${width} × ${height} in ${channels === 1 ? 'grey' : 'colour'}.</small>
                <output class="chosen" for="${id}"></output>
                <input class="drop-input" type="file" id="${id}" name="${FIELD_PREFIX + name}" required aria-describedby="${id}-name ${id}-hint" accept="${PICTURE_TYPES}">
              </div></div>`;
}

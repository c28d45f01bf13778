/**
 * Writes HTML in template strings in which every value is escaped unless it is HTML made here; and the frame of a whole
 * page.
 */

const MARKUP = Symbol('markup');

/** A piece of finished HTML. */
export interface Html {
  readonly [MARKUP]: string;
}

/** What a template takes: text and numbers are escaped, pieces and lists of pieces are put in, nothing stays nothing. */
type HtmlValue = string | number | Html | readonly Html[] | undefined | false;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template tag: ``html`<p title="${title}">${text}</p>` ``. Attribute values belong in quotation marks. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { [MARKUP]: String.raw({ raw: strings }, ...values.map(write)) };
}

/** The finished text. */
export function toText(piece: Html): string {
  return piece[MARKUP];
}

function write(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return isPiece(value) ? value[MARKUP] : value.map(toText).join('');
}

function isPiece(value: Html | readonly Html[]): value is Html {
  return MARKUP in value;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** The page as a document that is light or dark by the reader's setting. */
export function wholePage({
  title,
  head,
  body,
}: {
  readonly title: string;
  /** What its own looks and scripts are. */
  readonly head: Html;
  readonly body: Html;
}): string {
  return toText(html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · fedbatch</title>
  ${head}
</head>
<body>
  ${body}
</body>
</html>
`);
}

// Markdown: tables and lists, and texts of files in it of which nothing is taken for a mark.

/** A text as it is, in one line. */
export const plain = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*[\]<>#]/g, (mark) => `\\${mark}`);

/** A name or a value as code. */
export const code = (text: string): string => `\`${text.replaceAll(/\s+/g, ' ').replaceAll('`', "'")}\``;

/** A table of cells that are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((each) => each.replaceAll(/(?<!\\)\|/g, '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A table of names and values, without titles. */
export const nameTable = (rows: readonly (readonly [name: string, value: string])[]): string =>
  table(['', ''], rows);

/** One point a line. */
export const bulletList = (points: readonly string[]): string => points.map((each) => `- ${each}`).join('\n');

/** A block of code. */
export const codeBlock = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

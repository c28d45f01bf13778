/** Markdown: tables and lists, and texts of files in it of which nothing is taken for a mark. */

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

/** Text of records on a terminal: without control characters, in lines of a width. */

/** Letters that move a cursor, change colours or end a line: what a record holds must not do that to a terminal. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** The text with a space in place of each run of control characters. */
export const printable = (text: string): string => text.replace(CONTROL, ' ');

/** How lines begin, and how long they are. */
interface WrapOptions {
  /** In front of the first line; the others are indented by as much. */
  readonly title: string;
  readonly width: number;
}

/** Lines of at most `width` letters, broken at spaces; a longer word stays whole. */
export function wrapped(text: string, { title, width }: WrapOptions): readonly string[] {
  const lines: string[] = [];
  let line = title;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      [line, isEmpty] = [' '.repeat(title.length), true];
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}

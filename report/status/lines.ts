/** Text of records in lines: one alone, or several of a width. */

/** What a record holds ends no line, and begins none that somebody might take for one of ours. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** The text with a space in place of each run of control characters. */
export const inOneLine = (text: string): string => text.replace(CONTROL, ' ');

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

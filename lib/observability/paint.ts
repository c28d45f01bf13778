/** Colours of what people read: on terminals that show them, unless NO_COLOR is set; anywhere with FORCE_COLOR. */
import { styleText } from 'node:util';

/** How a piece of text looks. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Gives text a style, or leaves it as it is where no colours are wanted. */
export type Paint = (style: Style, text: string) => string;

/**
 * Text as a terminal may have it. What names, columns and messages of other people's files hold could move the cursor, clear
 * the screen or turn letters around: control characters become their pictures (U+2400 and after), those of bidirectional text
 * U+FFFD. Line feeds, tabs and styles stay.
 */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, (found, style: string | undefined) => {
    if (style !== undefined) return style;
    const code = found.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /(\u001B\[(?:[12]|22|39|3[1236])m)|(?![\n\t])[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu;

/** No colours. */
export const plainText: Paint = (_style, text) => text;

/** Paints for what reads `stream`, as Node decides for it. */
export function painterFor(stream: NodeJS.WriteStream): Paint {
  const isPainted = styleText('bold', 'x', { stream, validateStream: true }) !== 'x';
  return isPainted ? (style, text) => styleText(style, text, { validateStream: false }) : plainText;
}

/** Colours of what people read: on terminals that show them, unless NO_COLOR is set; anywhere with FORCE_COLOR. */
import { styleText } from 'node:util';

/** How a piece of text looks. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Gives text a style, or leaves it as it is where no colours are wanted. */
export type Paint = (style: Style, text: string) => string;

/** No colours. */
export const plainText: Paint = (_style, text) => text;

/** Paints for what reads `stream`, as Node decides for it. */
export function painterFor(stream: NodeJS.WriteStream): Paint {
  const isPainted = styleText('bold', 'x', { stream, validateStream: true }) !== 'x';
  return isPainted ? (style, text) => styleText(style, text, { validateStream: false }) : plainText;
}

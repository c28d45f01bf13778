/** How numbers, durations, tables and colours look to a reader, and how many digits a record keeps. */
import { styleText } from 'node:util';

/** Bytes in the largest fitting unit, e.g. `11.7 MB` (decimal units). */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Seconds with one decimal, e.g. `3.2 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/** Seconds in the unit that fits, in nine characters at most, e.g. `12.1 s`, `20.6 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 100) return formatSeconds(seconds);
  return seconds < 6000 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A loss with four decimals; a huge one, or one that has overflowed and came through JSON as null, as short as that. */
export function formatLoss(loss: number | null): string {
  if (loss === null || !Number.isFinite(loss)) return 'not finite';
  return Math.abs(loss) < 1000 ? loss.toFixed(4) : loss.toExponential(1);
}

/** A table as text: a header, a rule, then the rows; numbers-like columns flush right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('   ');
  return [line(header), widths.map((width) => '─'.repeat(width)).join('───'), ...rows.map(line)].join('\n');
}

/** A column of a table of `Row`s; where there is no room, the one of the highest rank goes first. */
export type TableColumn<Row> = readonly [
  title: string,
  /** 0 stays. */
  rank: number,
  cell: (row: Row, at: number) => string,
];

/** As many columns as fit `width`, in their order: cells are whole or left out, never cut. */
export function formatColumns<Row>(
  rows: readonly Row[],
  { columns, width }: { readonly columns: readonly TableColumn<Row>[]; readonly width: number },
): string {
  const text = formatTable(
    columns.map(([title]) => title),
    rows.map((row, at) => columns.map(([, , cell]) => cell(row, at))),
  );
  const worst = Math.max(...columns.map(([, rank]) => rank));
  if (worst === 0 || text.indexOf('\n') <= width) return text;
  const last = columns.findLastIndex(([, rank]) => rank === worst);
  return formatColumns(rows, { columns: columns.toSpliced(last, 1), width });
}

/** `value` with at most so many decimals; what is not finite stays as it is. */
export function roundTo(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}

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

/** A terminal that a test can read: what programs write, as rows on a screen that can be resized. */
import { EventEmitter } from 'node:events';
import { WriteStream } from 'node:tty';
import xterm from '@xterm/headless';

/** A screen with what has scrolled away above it. */
interface TestTerminal {
  /** What a program takes for its terminal. */
  readonly stream: NodeJS.WriteStream;
  write(text: string): void;
  /** As a user who drags the window: the terminal wraps its rows anew, then tells the program. */
  resize(columns: number, rows: number): Promise<void>;
  /** The rows that are not empty, as they stand. */
  rows(): Promise<readonly string[]>;
  /** Of those, what has a colour or another style: pieces of one row that have it. */
  painted(): Promise<readonly string[]>;
  /** The same with rows that the terminal has wrapped put together again. */
  lines(): Promise<readonly string[]>;
}

/** An empty terminal of so many columns and rows. */
export function openTerminal(columns: number, rows: number): TestTerminal {
  const terminal = new xterm.Terminal({ cols: columns, rows, convertEol: true, allowProposedApi: true });
  const write = (text: string) => terminal.write(text);
  const stream = Object.assign(new EventEmitter(), {
    isTTY: true,
    ...{ columns, rows },
    // What the environment says of colours, as of a real terminal.
    getColorDepth: WriteStream.prototype.getColorDepth,
    write: (text: string) => {
      write(text);
      return true;
    },
  }) as unknown as NodeJS.WriteStream;
  const drained = () => new Promise<void>((resolve) => terminal.write('', resolve));
  const read = async () => {
    await drained();
    const { active } = terminal.buffer;
    return Array.from({ length: active.length }, (_, row) => ({
      text: active.getLine(row)?.translateToString(true) ?? '',
      isWrapped: active.getLine(row)?.isWrapped === true,
    }));
  };
  return {
    stream,
    write,
    async resize(toColumns, toRows) {
      await drained();
      terminal.resize(toColumns, toRows);
      Object.assign(stream, { columns: toColumns, rows: toRows });
      stream.emit('resize');
      await drained();
    },
    rows: async () => (await read()).map(({ text }) => text).filter((text) => text !== ''),
    async painted() {
      await drained();
      const { active } = terminal.buffer;
      const pieces: string[] = [];
      for (let row = 0; row < active.length; row++) {
        let piece = '';
        for (let column = 0; column < columns; column++) {
          const cell = active.getLine(row)?.getCell(column);
          const isPainted = cell !== undefined && !cell.isAttributeDefault();
          if (isPainted) piece += cell.getChars();
          if (isPainted || piece === '') continue;
          pieces.push(piece);
          piece = '';
        }
        if (piece !== '') pieces.push(piece);
      }
      return pieces;
    },
    async lines() {
      const lines: string[] = [];
      for (const { text, isWrapped } of await read()) {
        if (isWrapped) lines.push(`${lines.pop() ?? ''}${text}`);
        else lines.push(text);
      }
      return lines.filter((text) => text !== '');
    },
  };
}

/** The reporter for people: plain sentences, and below them what runs now, redrawn where there is a terminal. */
import { stripVTControlCharacters } from 'node:util';
import {
  isOf,
  type ProgressEvent,
  type ProgressSource,
  type Reporter,
  type RoundEvent,
  sourceKey,
} from './events.js';
import { type Paint, painterFor, printable, type Style } from './format.js';
import { formatProgress, formatRound, formatStanding } from './progress-line.js';

/** Between two progress lines of one stage where the output is no terminal. */
const PLAIN_INTERVAL_MS = 5_000;
/** Columns of a line there. */
const PLAIN_WIDTH = 110;
/** Between two redraws on a terminal. */
const REDRAW_INTERVAL_MS = 80;
/** In front of what goes on from the line before. */
const INDENT = '  ';
/** Lines of clients that are redrawn at most. */
const CLIENT_LINES = 8;

/** A reporter that writes to `stream` (stderr by default): what runs is redrawn on a terminal, told now and then elsewhere. */
export async function createHumanReporter(stream: NodeJS.WriteStream = process.stderr): Promise<Reporter> {
  const canRedraw = stream.isTTY && process.env.TERM !== 'dumb';
  const paint = painterFor(stream);
  const display = canRedraw ? await terminalDisplay(stream, paint) : plainDisplay(stream, paint);
  const labelled = (label: string, style: Style) => (message: string) => {
    const lines = display.wrap(`${label} ${message}`);
    display.write(paint(style, label) + lines.slice(label.length));
  };
  return {
    info: (message) => display.write(display.wrap(message)),
    warn: labelled('warning:', 'yellow'),
    error: labelled('error:', 'red'),
    progress: (event) => display.show(event),
    step: (message) => display.step(message),
    round: (event) => event.isSettled || display.round(event),
    close: (source) => display.close(source),
  };
}

interface Display {
  /** Breaks text into lines that fit. */
  wrap(text: string): string;
  /** Writes lines that stay. */
  write(lines: string): void;
  /** Writes a line that stays until the next one. */
  step(text: string): void;
  show(event: ProgressEvent): void;
  round(event: RoundEvent): void;
  close(source?: ProgressSource): void;
}

const isLast = (event: ProgressEvent) => event.done >= event.total;
/** A round has a line of its own in the end; of anything else the last state stays. */
const stays = (event: ProgressEvent) => isLast(event) && event.round === undefined;

/** Keeps what runs at the bottom of the terminal; what is finished is written once, above, and never touched again. */
async function terminalDisplay(stream: NodeJS.WriteStream, paint: Paint): Promise<Display> {
  // Stages of a job have no terminal, and start faster without what draws on one.
  const { createLogUpdate } = await import('log-update');
  const draw = createLogUpdate(stream);
  const running = new Map<string, ProgressEvent>();
  let step: string | undefined;
  /** The last round, while there are more, and when it was done. */
  let last: { readonly event: RoundEvent; readonly at: number } | undefined;
  let drawn: { readonly lines: readonly string[]; readonly columns: number } | undefined;
  let timer: NodeJS.Timeout | undefined;

  // The last column stays free: a line that fills it makes some terminals begin another.
  const columns = () => stream.columns || 80;
  const width = () => columns() - 1;

  const erase = () => {
    if (drawn === undefined) return;
    if (drawn.columns === columns()) draw.clear();
    else {
      // What is above these rows is not ours to erase.
      const rowsOf = (line: string) =>
        wrapsAnew() ? Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns())) : 1;
      const rows = drawn.lines.reduce((sum, line) => sum + rowsOf(line), 0);
      stream.write(`\u001B[${rows}A\r\u001B[J`);
      draw.done();
    }
    drawn = undefined;
  };
  const redraw = () => {
    clearTimeout(timer);
    timer = undefined;
    if (drawn !== undefined && drawn.columns !== columns()) erase();
    const lines = whatRuns();
    if (lines.length === 0) return erase();
    draw(printable(lines.join('\n')));
    drawn = { lines, columns: columns() };
  };
  const redrawSoon = () => {
    timer ??= setTimeout(redraw, REDRAW_INTERVAL_MS).unref();
  };
  const lineOf = (event: ProgressEvent) => formatProgress(event, { width: width(), hasBar: true, paint });
  const standing = (): readonly string[] => {
    if (last === undefined) return [];
    const seconds = (performance.now() - last.at) / 1000;
    return [formatStanding(last.event, { width: width(), paint, seconds })];
  };
  const whatRuns = (): readonly string[] => {
    const events = [...running.values()];
    const groups = events.filter(({ client }) => client === undefined).map(lineOf);
    const clients = events
      .filter(({ client }) => client !== undefined)
      .sort((a, b) => (a.client ?? 0) - (b.client ?? 0));
    const above = [...standing(), ...(step === undefined ? [] : [step.slice(0, width())]), ...groups];
    const room = Math.max(0, Math.min(CLIENT_LINES, (stream.rows || 24) - above.length - 3));
    const hidden = clients.length - room;
    const more = hidden > 0 ? [`and ${hidden} more at the same time`.slice(0, width())] : [];
    return [...above, ...clients.slice(0, room).map(lineOf), ...more];
  };
  const write = (lines: string) => {
    step = undefined;
    erase();
    stream.write(`${printable(lines)}\n`);
    if (running.size > 0 || last !== undefined) redrawSoon();
  };
  stream.on('resize', () => drawn !== undefined && redraw());
  return {
    wrap: (text) => wrapWords(text, width()),
    write,
    step(text) {
      step = text;
      redraw();
    },
    show(event) {
      if (isLast(event)) running.delete(sourceKey(event));
      else running.set(sourceKey(event), event);
      if (stays(event)) write(lineOf(event));
      else redrawSoon();
    },
    round(event) {
      const isOver = event.round >= event.rounds || (event.secondsLeft === undefined && !event.isSkipped);
      last = isOver ? undefined : { event, at: performance.now() };
      write(formatRound(event, { width: width(), paint }));
    },
    close(source) {
      if (source !== undefined) {
        for (const [key, event] of running) if (isOf(event, source)) running.delete(key);
        redrawSoon();
        return;
      }
      running.clear();
      last = undefined;
      clearTimeout(timer);
      timer = undefined;
      erase();
      draw.done();
    },
  };
}

/** xterm and GNU screen cut lines when they get narrower; others wrap them anew, and tmux does so inside of any. */
function wrapsAnew(): boolean {
  const { TMUX, XTERM_VERSION, STY } = process.env;
  return TMUX !== undefined || (XTERM_VERSION === undefined && STY === undefined);
}

/** Breaks lines between words; a word that is longer than a line is the terminal's to break. */
function wrapWords(text: string, width: number): string {
  const most = Math.max(20, width - INDENT.length);
  const tooLong = new RegExp(`(?![^\\n]{1,${most}}$)([^\\n]{1,${most}}) +`, 'gm');
  return text.replaceAll(tooLong, `$1\n${INDENT}`);
}

/** Writes what has changed every few seconds; a line at the start and one at the end as well of what is no part of a round. */
function plainDisplay(stream: NodeJS.WriteStream, paint: Paint): Display {
  const writtenAt = new Map<string, number>();
  const lastLine = new Map<string, string>();
  const write = (lines: string) => void stream.write(`${printable(lines)}\n`);
  return {
    wrap: (text) => text,
    write,
    step: write,
    show(event) {
      // Of a trial its rounds are enough.
      if (event.trial !== undefined) return;
      const now = Date.now();
      const before = writtenAt.get(event.stage);
      // A round tells itself when it ends: only one that takes its time has more to tell.
      if (before === undefined && event.round !== undefined) writtenAt.set(event.stage, now);
      const isDue = now - (writtenAt.get(event.stage) ?? 0) >= PLAIN_INTERVAL_MS;
      if (!stays(event) && !isDue) return;
      const line = formatProgress(event, { width: PLAIN_WIDTH, hasBar: false, paint });
      if (line === lastLine.get(sourceKey(event))) return;
      lastLine.set(sourceKey(event), line);
      writtenAt.set(event.stage, now);
      write(line);
    },
    round: (event) => write(formatRound(event, { width: PLAIN_WIDTH, paint })),
    close() {},
  };
}

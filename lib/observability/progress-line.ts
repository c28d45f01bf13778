/** A line of progress, or of a finished round, that fits its width: figures are whole or left out, never cut. */
import { scoreOfFigure } from '../federation/metrics.js';
import type { ProgressEvent, RoundEvent } from './events.js';
import { formatBytes, formatDuration, formatLoss, type Paint, plainText, type Style } from './format.js';

/** A piece of a line, and its rank: where there is no room, the highest rank goes first. */
type Part = { readonly text: string; readonly rank: number; readonly style?: Style | undefined };

/** Takes pieces of a line. */
type Add = (rank: number, text: string | false, style?: Style) => void;

/** How much room a line has, in columns, and its colours; none by default. */
interface LineOptions {
  readonly width: number;
  readonly paint?: Paint;
}

/** Columns of a name in front of what is said of it. */
export const NAME_WIDTH = 16;
/** Columns of a bar. */
const BAR = { most: 24, fewest: 6 };

/** One line for a progress event, at most `width` columns, with a bar where there is room and one is wanted. */
export function formatProgress(
  event: ProgressEvent,
  { width, hasBar, paint }: LineOptions & { readonly hasBar: boolean },
): string {
  const { total, epoch, epochs, loss, accuracy, examplesPerSecond, perSecond, secondsLeft } = event;
  const share = total > 0 ? Math.min(1, event.done / total) : 1;
  const { parts, add } = collect();
  add(4, `${Math.floor(share * 100)}%`.padStart(4));
  // Where there are bars, the line of the round stands above its clients.
  add(5, !hasBar && event.client !== undefined && event.round !== undefined && roundName(event));
  add(3, epochs === undefined ? formatCount(event) : `epoch ${epoch}/${epochs}`);
  add(2, loss !== undefined && `loss ${formatLoss(loss)}`);
  add(1, accuracy !== undefined && `acc ${accuracy.toFixed(4)}`);
  add(7, examplesPerSecond !== undefined && `${Math.round(examplesPerSecond)}/s`, 'dim');
  add(7, perSecond !== undefined && `${perSecond.toPrecision(3)}/s`, 'dim');
  add(6, secondsLeft !== undefined && share < 1 && `${formatLeft(secondsLeft)} left`, 'dim');
  const line = fit(nameOf(event), parts, width);
  const room = Math.min(BAR.most, width - lengthOf(line) - line.gap.length);
  if (!hasBar || room < BAR.fewest || line.parts.length === 0) return write(line, paint);
  const filled = Math.round(share * room);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(room - filled)}`;
  return write({ ...line, parts: [{ text: bar, rank: 0, style: 'cyan' }, ...line.parts] }, paint);
}

/** One line for a finished round, at most `width` columns. */
export function formatRound(event: RoundEvent, { width, paint }: LineOptions): string {
  const { metric, value, change, loss, seconds, secondsLeft, isSkipped, participation } = event;
  const { parts, add } = collect();
  add(1, `${metric} ${figure(value)}`, 'bold');
  if (change !== undefined) add(3, `${change < 0 ? '' : '+'}${change.toFixed(4)}`, styleOf(metric, change));
  add(2, metric !== 'loss' && `loss ${formatLoss(loss)}`);
  const { selected, reported, rejected } = participation;
  const counted = reported - rejected;
  add(4, `${counted}/${selected} clients`, counted < selected ? 'yellow' : undefined);
  add(5, isSkipped ? 'done before: skipped' : formatDuration(seconds), 'dim');
  add(6, secondsLeft !== undefined && `${formatLeft(secondsLeft)} left`, 'dim');
  return write(fit(roundName(event), parts, width), paint);
}

/** One line for the run so far, `seconds` after its last round: the best round, and how long still. */
export function formatStanding(
  { metric, best, secondsLeft }: RoundEvent,
  { width, paint, seconds }: LineOptions & { readonly seconds: number },
): string {
  const { parts, add } = collect();
  add(1, `best ${metric} ${figure(best.value)} in round ${best.round}`);
  const left = secondsLeft === undefined ? undefined : Math.max(0, secondsLeft - seconds);
  add(2, left !== undefined && left > 0 && `${formatLeft(left)} left`, 'dim');
  return write(fit('run', parts, width), paint);
}

function collect(): { readonly parts: readonly Part[]; readonly add: Add } {
  const parts: Part[] = [];
  return { parts, add: (rank, text, style) => text !== false && parts.push({ text, rank, style }) };
}

const figure = (value: number) => (Number.isFinite(value) ? value.toFixed(4) : 'not finite');

/** Better is green. */
function styleOf(metric: string, change: number): Style | undefined {
  if (!(Math.abs(change) > 0)) return undefined;
  return scoreOfFigure({ metric, value: change }) > 0 ? 'green' : 'red';
}

/** What stands in a line, and between its pieces. */
interface Line {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly gap: string;
}

const textsOf = ({ name, parts }: Line) => [name, ...parts.map(({ text }) => text)];

const lengthOf = (line: Line): number => textsOf(line).join(line.gap).length;

function write({ name, parts, gap }: Line, paint: Paint = plainText): string {
  const painted = parts.map(({ text, style }) => (style === undefined ? text : paint(style, text)));
  return [name, ...painted].join(gap);
}

/** As many parts as there is room for, in their order; close together where only that makes room. */
function fit(name: string, given: readonly Part[], width: number): Line {
  let parts = given;
  for (;;) {
    const wide = { name: name.padEnd(NAME_WIDTH), parts, gap: '  ' };
    if (lengthOf(wide) <= width) return wide;
    const worst = Math.max(...parts.map(({ rank }) => rank));
    // Loss and accuracy are what a reader looks for: before one of them goes, the gaps do.
    const tight = { name, parts: parts.map((part) => ({ ...part, text: part.text.trim() })), gap: ' ' };
    if (worst <= 2 && lengthOf(tight) <= width) return tight;
    if (parts.length === 0) return { name: name.slice(0, width), parts, gap: '' };
    parts = parts.filter(({ rank }) => rank !== worst);
  }
}

function nameOf(event: ProgressEvent): string {
  if (event.trial !== undefined) return `trial ${event.trial} ${roundName(event)}`;
  if (event.client !== undefined) return `${event.stage} client ${event.client}`;
  return event.round === undefined ? event.stage : `${event.stage} ${roundName(event)}`;
}

function roundName({ round, rounds }: Pick<ProgressEvent, 'round' | 'rounds'>): string {
  return rounds === undefined ? `round ${round}` : `round ${round}/${rounds}`;
}

function formatCount(event: ProgressEvent): string {
  if (event.unit === 'bytes') return `${formatBytes(event.done)} of ${formatBytes(event.total)}`;
  return `${event.done}/${event.total} ${event.unit}`;
}

const formatLeft = (seconds: number): string =>
  seconds < 100 ? `${Math.ceil(seconds)} s` : formatDuration(seconds);

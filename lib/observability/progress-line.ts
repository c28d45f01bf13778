/** A line of progress, or of a finished round, that fits its width: figures are whole or left out, never cut. */
import type { ProgressEvent, RoundEvent } from './events.js';
import { formatBytes, formatDuration, formatLoss } from './format.js';

/** A piece of a line, and its rank: where there is no room, the highest rank goes first. */
type Part = { readonly text: string; readonly rank: number };

/** Columns of a name in front of what is said of it. */
export const NAME_WIDTH = 16;
/** Columns of a bar. */
const BAR = { most: 24, fewest: 6 };

/** One line for a progress event, at most `width` characters, with a bar where there is room and one is wanted. */
export function formatProgress(
  event: ProgressEvent,
  { width, hasBar }: { readonly width: number; readonly hasBar: boolean },
): string {
  const { total, epoch, epochs, loss, accuracy, examplesPerSecond, perSecond, secondsLeft } = event;
  const share = total > 0 ? Math.min(1, event.done / total) : 1;
  const parts: Part[] = [{ text: `${Math.floor(share * 100)}%`.padStart(4), rank: 4 }];
  const add = (rank: number, text: string | false) => text !== false && parts.push({ text, rank });
  // Where there are bars, the line of the round stands above its clients.
  add(5, !hasBar && event.client !== undefined && event.round !== undefined && roundName(event));
  add(3, epochs === undefined ? formatCount(event) : `epoch ${epoch}/${epochs}`);
  add(2, loss !== undefined && `loss ${formatLoss(loss)}`);
  add(1, accuracy !== undefined && `acc ${accuracy.toFixed(4)}`);
  add(7, examplesPerSecond !== undefined && `${Math.round(examplesPerSecond)}/s`);
  add(7, perSecond !== undefined && `${perSecond.toPrecision(3)}/s`);
  add(6, secondsLeft !== undefined && share < 1 && `${formatLeft(secondsLeft)} left`);
  const line = fit(nameOf(event), parts, width);
  const room = Math.min(BAR.most, width - line.length - 2);
  if (!hasBar || room < BAR.fewest || parts.length === 0) return line;
  const filled = Math.round(share * room);
  const name = nameOf(event).padEnd(NAME_WIDTH);
  return `${name}  ${'█'.repeat(filled)}${'░'.repeat(room - filled)}${line.slice(name.length)}`;
}

/** One line for a finished round, at most `width` characters. */
export function formatRound(event: RoundEvent, width: number): string {
  const { metric, value, change, loss, seconds, secondsLeft, isSkipped } = event;
  const parts: Part[] = [{ text: `${metric} ${value.toFixed(4)}`, rank: 1 }];
  const add = (rank: number, text: string | false) => text !== false && parts.push({ text, rank });
  add(3, change !== undefined && `${change < 0 ? '' : '+'}${change.toFixed(4)}`);
  add(2, `loss ${formatLoss(loss)}`);
  add(4, isSkipped ? 'done before: skipped' : formatDuration(seconds));
  add(5, secondsLeft !== undefined && `${formatLeft(secondsLeft)} left`);
  return fit(roundName(event), parts, width);
}

/** As many parts as there is room for, in their order; close together where only that makes room. */
function fit(name: string, given: readonly Part[], width: number): string {
  let parts = given;
  for (;;) {
    const texts = parts.map(({ text }) => text);
    const wide = [name.padEnd(NAME_WIDTH), ...texts].join('  ');
    if (wide.length <= width) return wide;
    const worst = Math.max(...parts.map(({ rank }) => rank));
    // Loss and accuracy are what a reader looks for: before one of them goes, the gaps do.
    const tight = [name, ...texts.map((text) => text.trim())].join(' ');
    if (worst <= 2 && tight.length <= width) return tight;
    if (parts.length === 0) return name.slice(0, width);
    parts = parts.filter(({ rank }) => rank !== worst);
  }
}

function nameOf(event: ProgressEvent): string {
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

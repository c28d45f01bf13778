/** How numbers, durations, progress and tables look to a reader. */
import type { ProgressEvent } from './events.js';

const BAR_WIDTH = 24;

/** One line for a progress event, at most `width` characters. */
export function formatProgress(event: ProgressEvent, width: number): string {
  const share = event.total > 0 ? Math.min(1, event.done / event.total) : 1;
  const filled = Math.round(share * BAR_WIDTH);
  const parts = [
    nameOf(event).padEnd(16),
    `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`,
    `${Math.floor(share * 100)}%`.padStart(4),
    ...(event.epochs === undefined ? [formatCount(event)] : [`epoch ${event.epoch}/${event.epochs}`]),
    ...(event.loss === undefined ? [] : [`loss ${(event.loss ?? Number.NaN).toFixed(4)}`]),
    ...(event.accuracy === undefined ? [] : [`acc ${event.accuracy.toFixed(4)}`]),
    ...(event.examplesPerSecond === undefined ? [] : [`${Math.round(event.examplesPerSecond)}/s`]),
    ...(event.perSecond === undefined ? [] : [`${event.perSecond.toPrecision(3)}/s`]),
    ...(event.secondsLeft === undefined ? [] : [`${Math.ceil(event.secondsLeft)} s left`]),
  ];
  return parts.join('  ').slice(0, width);
}

function nameOf({ stage, client, round }: ProgressEvent): string {
  if (client !== undefined) return `${stage} client ${client}`;
  return round === undefined ? stage : `${stage} round ${round}`;
}

function formatCount(event: ProgressEvent): string {
  if (event.unit === 'bytes') return `${formatBytes(event.done)} of ${formatBytes(event.total)}`;
  return `${event.done}/${event.total} ${event.unit}`;
}

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

/** A table as text: a header, a rule, then the rows; numbers-like columns flush right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('   ');
  return [line(header), widths.map((width) => '─'.repeat(width)).join('───'), ...rows.map(line)].join('\n');
}

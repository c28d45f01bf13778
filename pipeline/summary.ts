/** What a run tells at its end: a short report for people, or one line for machines. */
import { relative } from 'node:path';
import type { RoundRecord } from '../lib/formats/run-record.js';
import { formatSeconds, formatTable } from '../lib/observability/format.js';
import type { StageSeconds } from './stage-clock.js';

/** Clients in the table at most; round.json has all of them. */
const MAX_ROWS = 20;

/** What a finished run came to. */
export interface RunResult {
  /** Of the last round's global model on the test examples. */
  readonly examples: number;
  readonly accuracy: number;
  readonly loss: number;
  readonly rounds: number;
  readonly seconds: StageSeconds;
  /** sha256 of aggregated-model.h5. */
  readonly sha256: string;
  /** Absolute path. */
  readonly volume: string;
  readonly lastRound: RoundRecord;
}

/** One machine-readable line (without its line feed); a loss that is not finite is null, privacy only where asked for. */
export function jsonLine(result: RunResult): string {
  const { accuracy, loss, rounds, seconds, sha256, volume, lastRound } = result;
  const { split, train, aggregate, evaluate, total } = seconds;
  const rounded = Object.fromEntries(
    Object.entries({ split, train, aggregate, evaluate, total }).map(([stage, spent]) => [
      stage,
      Math.round(spent * 1000) / 1000,
    ]),
  );
  const privacy = lastRound.aggregate?.privacy;
  return JSON.stringify({ accuracy, loss, rounds, seconds: rounded, sha256, volume, privacy });
}

/** The report for people: accuracy, a table of the clients, where the time went, where the files are. */
export function summary(result: RunResult): string {
  const { accuracy, lastRound, seconds } = result;
  const clients = lastRound.reported
    .slice(0, MAX_ROWS)
    .map((each) => [
      `${each.client}`,
      `${each.examples}`,
      each.seconds.toFixed(1),
      each.alone?.accuracy.toFixed(4) ?? '',
      accuracy.toFixed(4),
    ]);
  const header = ['client', 'examples', 'seconds', 'accuracy alone', 'accuracy of the average'];
  const stages = (['split', 'train', 'aggregate', 'evaluate', 'total'] as const).map(
    (stage) => `${stage} ${formatSeconds(seconds[stage])}`,
  );
  return [
    '',
    accuracyLine(result),
    '',
    formatTable(header, clients),
    ...(lastRound.reported.length > MAX_ROWS ? [`… and ${lastRound.reported.length - MAX_ROWS} more`] : []),
    '',
    `time    ${stages.join(' · ')}`,
    `model   ${shortPath(`${result.volume}/aggregated-model.h5`)}`,
  ].join('\n');
}

/** The accuracy test's own words, e.g. `9753 of 10000 test images right: accuracy 0.9753, loss 0.0812`. */
function accuracyLine({ examples, accuracy, loss, rounds }: RunResult): string {
  const right = Math.round(accuracy * examples);
  const after = rounds === 1 ? 'after 1 round' : `after ${rounds} rounds`;
  return `accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)} ${after} (${right} of ${examples} test examples right)`;
}

/** Relative to the working directory where that is below it. */
export function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}

/** Ten minutes of predictions and uploads at once: whether the server's memory stays what it is. */
import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '../lib/observability/format.js';
import type { Table } from './report.js';
import { withDirectory } from './section.js';
import {
  drive,
  type RunningServer,
  serveArguments,
  withServer,
  writeBodies,
  writeModel,
} from './serve-load.js';

const MINUTES = 10;
/** Well below what two cores answer, loaders included: a load to live with, not one to drown in. */
const PREDICTIONS_PER_SECOND = 700;
const UPLOADS_PER_SECOND = 100;
const SAMPLE_MS = 1000;

/** What the server did in one minute. */
interface SoakMinute {
  readonly answered: number;
  readonly predictP99Ms: number;
  readonly uploadP99Ms: number;
  /** Resident memory, mean and most of a minute's samples. */
  readonly meanBytes: number;
  readonly mostBytes: number;
}

/** Loads `fedbatch serve` for ten minutes, once, whatever `rounds` says. */
export async function benchSoak(): Promise<Table> {
  return withDirectory(async (directory) => {
    const model = await writeModel(directory);
    const [predict, upload] = await writeBodies(directory);
    const server = { command: process.execPath, args: serveArguments(model) };
    const minutes = await withServer(server, async (running) => {
      const each: SoakMinute[] = [];
      while (each.length < MINUTES) {
        const { url } = running;
        const [samples, predicted, uploaded] = await Promise.all([
          sampleMinute(running),
          drive(url, predict, 60, PREDICTIONS_PER_SECOND),
          drive(url, upload, 60, UPLOADS_PER_SECOND),
        ]);
        each.push({
          answered: predicted.requests.total + uploaded.requests.total,
          predictP99Ms: predicted.latency.p99,
          uploadP99Ms: uploaded.latency.p99,
          meanBytes: samples.reduce((sum, bytes) => sum + bytes, 0) / samples.length,
          mostBytes: Math.max(...samples),
        });
      }
      return each;
    });
    return soakTable(minutes);
  });
}

async function sampleMinute({ memory }: RunningServer): Promise<readonly number[]> {
  const samples: number[] = [];
  for (const until = performance.now() + 60_000; performance.now() < until; await delay(SAMPLE_MS))
    samples.push(memory().now);
  return samples;
}

/** A row for each minute, and how fast memory grew once the first minute had warmed everything up. */
export function soakTable(minutes: readonly SoakMinute[]): Table {
  return {
    header: ['minute', 'answers', 'p99 predict', 'p99 upload', 'resident memory, mean', 'most'],
    rows: minutes.map(({ answered, predictP99Ms, uploadP99Ms, meanBytes, mostBytes }, index) => [
      `${index + 1}`,
      answered.toLocaleString('en'),
      `${predictP99Ms} ms`,
      `${uploadP99Ms} ms`,
      formatBytes(meanBytes),
      formatBytes(mostBytes),
    ]),
    notes: [
      `${PREDICTIONS_PER_SECOND} predictions and ${UPLOADS_PER_SECOND} uploads a second, evenly, each on connections of its own; every answer was 2xx.`,
      `After the first minute memory grew by ${growth(minutes.slice(1)).toFixed(2)} MB a minute (least squares).`,
    ],
  };
}

/** Slope of the mean memory over the minutes, in MB a minute. */
function growth(minutes: readonly SoakMinute[]): number {
  const middle = (minutes.length - 1) / 2;
  const mean = minutes.reduce((sum, { meanBytes }) => sum + meanBytes, 0) / minutes.length;
  const [above, below] = minutes.reduce(
    ([up, down], { meanBytes }, index) => [
      up + (index - middle) * (meanBytes - mean),
      down + (index - middle) ** 2,
    ],
    [0, 0],
  );
  return above / below / 1e6;
}

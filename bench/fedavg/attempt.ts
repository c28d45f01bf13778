/** What a cell's volume tells: the accuracy after each round, and the time that it took. */
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { CurvePoint } from './results.js';

/** One run of a cell, with one learning rate; complete or not. */
export interface Attempt {
  readonly learningRate: number;
  readonly accuracies: readonly CurvePoint[];
  /** Wall-clock seconds of all calls that the run took, from the start to the last event of each. */
  readonly seconds: number;
  /** With what, where and when: one entry for each call after which one of them was another. */
  readonly builds: readonly Build[];
}

/** What an attempt ran with. */
export interface Build {
  /** Of the fedbatch that ran. */
  readonly commit: string;
  readonly machine: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** The accuracies on the volume at `root`, in the order of their rounds. */
export async function readAccuracies(root: string): Promise<readonly CurvePoint[]> {
  const { rounds, round } = volumePaths(root);
  const numbers = (await listed(rounds)).map((name) => Number(basename(name))).sort((a, b) => a - b);
  const points: CurvePoint[] = [];
  for (const number of numbers) {
    // The last directory may hold no more than the model that its round would start from.
    if (!(await listed(round(number).root)).includes('round.json')) continue;
    const { evaluation } = await readRoundRecord(round(number).record);
    const accuracy = evaluation?.accuracy;
    if (accuracy !== undefined) points.push({ round: number, accuracy });
  }
  return points;
}

/** Seconds that the metrics.jsonl of the volume at `root` spans, without the time between its calls. */
export async function readSeconds(root: string): Promise<number> {
  const text = await readFile(volumePaths(root).metrics, 'utf8').catch(() => '');
  return secondsOf(text);
}

/** The same of its text; a last line that was left unfinished does not count. */
export function secondsOf(metrics: string): number {
  const events = metrics
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { readonly time: string; readonly event: string });
  let milliseconds = 0;
  for (const [index, { time, event }] of events.entries()) {
    const before = events[index - 1];
    if (before !== undefined && event !== 'start') milliseconds += Date.parse(time) - Date.parse(before.time);
  }
  return milliseconds / 1000;
}

const listed = (directory: string): Promise<readonly string[]> => readdir(directory).catch(() => []);

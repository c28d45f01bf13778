/** What a cell's volume tells: what the test found after each round, the time that it took, and what it is made of. */
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { metricIn } from '../../lib/federation/metrics.js';
import { readRoundRecord, readRunRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { Cell, Trial } from './cells.js';

/** What the test of the global model that a round ended with found; rounds are numbered from 1. */
export interface CurvePoint {
  readonly round: number;
  readonly value: number;
}

/** One run of a cell, with one learning rate and one seed; complete or not. */
export interface Attempt extends Trial {
  readonly curve: readonly CurvePoint[];
  /** Wall-clock seconds of all calls that the run took, from the start to the last event of each. */
  readonly seconds: number;
  /** With what, where and when: one entry for each call after which one of them was another. */
  readonly builds: readonly Build[];
  /** sha256 of the dataset and of the newest global model; absent of results that were written before they were kept. */
  readonly hashes?: { readonly data: string; readonly model: string };
}

/** What an attempt ran with. */
export interface Build {
  /** Of the fedbatch that ran. */
  readonly commit: string;
  readonly machine: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** The values of a metric on the volume at `root`, in the order of their rounds. */
export async function readCurve(root: string, metric: Cell['metric']): Promise<readonly CurvePoint[]> {
  const { rounds, round } = volumePaths(root);
  const numbers = (await listed(rounds)).map((name) => Number(basename(name))).sort((a, b) => a - b);
  const points: CurvePoint[] = [];
  for (const number of numbers) {
    // The last directory may hold no more than the model that its round would start from.
    if (!(await listed(round(number).root)).includes('round.json')) continue;
    const { evaluation } = await readRoundRecord(round(number).record);
    if (evaluation === undefined) continue;
    const value = metricIn(evaluation, metric);
    // A model of NaN has no error either.
    if (!Number.isNaN(value)) points.push({ round: number, value });
  }
  return points;
}

/** The hashes of the volume at `root`; undefined before its first round has ended. */
export async function readHashes(root: string): Promise<Attempt['hashes']> {
  const { run, rounds, round } = volumePaths(root);
  const last = (await listed(rounds)).map(Number).sort((a, b) => b - a);
  const data = (await readRunRecord(run).catch(() => undefined))?.settings.dataset.sha256;
  for (const number of last) {
    const record = await readRoundRecord(round(number).record).catch(() => undefined);
    const model = record?.evaluation?.model;
    if (data !== undefined && model !== undefined) return { data, model };
  }
  return undefined;
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

/** docs/poisoning/results.jsonl: a line for each trial that was run, which later calls add to. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../lib/core/system-errors.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { createSlots } from '../../lib/system/slots.js';
import type { Outcome } from './run-trial.js';
import { nameOf, settingsHash } from './trials.js';

/** The outcome of a trial, and what it ran with. */
export interface Result extends Outcome {
  /** Of the trials' settings: results of others are passed over. */
  readonly settings: string;
  readonly commit: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** Reads the results that are of the trials as they are now. */
export async function readResults(path: string): Promise<readonly Result[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  });
  const settings = settingsHash();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Result)
    .filter((result) => result.settings === settings);
}

/** One at a time: each reads what the one before has written. */
const writing = createSlots(1);

/** Adds a result, in the place of an earlier one of the same trial; in the order of their names. */
export function addResult(path: string, result: Result): Promise<void> {
  return writing.use(async () => {
    const others = (await readResults(path)).filter((each) => nameOf(each) !== nameOf(result));
    const all = [...others, result].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    await makeDirectory(dirname(path));
    await writeFileAtomic(path, all.map((each) => `${JSON.stringify(each)}\n`).join(''));
  });
}

/** Programs that are halted at an exact operation on a file until they are told to go on, and what they leave. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { sha256 } from '../lib/formats/files/read-file.js';
import { writeTinyDataset } from './datasets.js';
import { haltedAt, isRunning, isStopped } from './processes.js';
import { type Program, programPath } from './programs.js';
import { finishRun, waitFor } from './runs.js';

/** Every finished file below a directory with the hash of its bytes. */
export function contents(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  const finished = files.filter(({ name }) => !name.startsWith('.tmp-'));
  const paths = finished.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return new Map(paths.map((path) => [path.slice(root.length), sha256(readFileSync(path))]));
}

/** Lets a process go on that is halted. */
export const goOn = (pid: number | undefined) => process.kill(pid ?? 0, 'SIGCONT');

/** Waits until a process is halted, which does not outlive the test. */
export async function halted(
  t: TestContext,
  { pid = 0 }: { readonly pid?: number | undefined },
): Promise<void> {
  t.after(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  await waitFor(() => isStopped(pid));
}

/** Starts a program that halts before its first operation on `path`. */
export function startHalted(program: Program, path: string, args: readonly string[]) {
  return execa(process.execPath, [programPath(program), ...args], {
    reject: false,
    env: haltedAt({ program: `${program}.js`, path, before: 1 }),
  });
}

/** Does a run of two clients that nothing disturbs; what it ended with, and the settings that repeat it. */
export async function wholeRun(directory: string) {
  const settings = [
    ...['--data', await writeTinyDataset(directory), '--model', 'mlp', '--hidden', '8', '--batch', '60'],
    ...['--epochs', '1', '--clients', '2', '--rounds', '1', '--jobs', '1', '--threads', '1'],
  ];
  const whole = join(directory, 'whole');
  return { settings, whole, expected: await finishRun(whole, settings) };
}

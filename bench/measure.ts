/** Measuring whole processes, those that they start included: wall time and peak memory; both sides in turn. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { bytesInProc, statOf, usageOfProcess } from '../lib/system/processes.js';
import type { Journal } from './journal.js';

/** One finished process. */
export interface ProcessSample {
  readonly seconds: number;
  /** Processor time of the process itself, without those that it started; in steps of 10 ms. */
  readonly ownProcessorSeconds: number;
  /** Largest resident set of the process itself, from the kernel's own high-water mark. */
  readonly peakBytes: number;
  /** The largest such mark of a process that it started, 0 without one. */
  readonly childPeakBytes: number;
  /** Most memory held at one time by it and all that it started; what they share counts once (PSS). */
  readonly treePeakBytes: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Between two looks at the kernel's high-water marks. */
const POLL_MS = 10;
/** Between two sums over all processes: the kernel walks their page tables for it, which takes milliseconds. */
const SUM_MS = 200;

/** Runs a command to its end. @throws when it cannot be started or fails */
export async function sampleProcess(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<ProcessSample> {
  const startedAt = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  let [ownProcessorSeconds, peakBytes, childPeakBytes, treePeakBytes] = [0, 0, 0, 0];
  const { pid } = child;
  const marks = setInterval(() => {
    peakBytes = Math.max(peakBytes, bytesInProc(`/proc/${pid}/status`, 'VmHWM'));
    ownProcessorSeconds = Math.max(ownProcessorSeconds, usageOfProcess(pid).cpuMs / 1000);
  }, POLL_MS);
  const sums = setInterval(() => {
    if (pid === undefined) return;
    const started = descendants(pid);
    childPeakBytes = Math.max(
      childPeakBytes,
      ...started.map((each) => bytesInProc(`/proc/${each}/status`, 'VmHWM')),
    );
    const sum = [pid, ...started].reduce(
      (total, each) => total + bytesInProc(`/proc/${each}/smaps_rollup`, 'Pss'),
      0,
    );
    treePeakBytes = Math.max(treePeakBytes, sum);
  }, SUM_MS);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  ).finally(() => {
    clearInterval(marks);
    clearInterval(sums);
  });
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${output.stderr.trim().slice(-500)}`);
  return {
    seconds: (performance.now() - startedAt) / 1000,
    ownProcessorSeconds,
    peakBytes,
    childPeakBytes,
    treePeakBytes,
    ...output,
  };
}

/** Processor time of all processes that this one has started and seen end, and of theirs; in steps of 10 ms. */
export function endedProcessesSeconds(): number {
  // The 16th and 17th field (proc(5): cutime and cstime), in ticks of 10 ms.
  const { 13: user, 14: system } = statOf('self');
  return (Number(user) + Number(system)) / 100;
}

/** Resident memory of a process; 0 when it has ended. */
export const residentBytes = (pid: number): number => bytesInProc(`/proc/${pid}/status`, 'VmRSS');

/** Files, pipes and sockets that a process holds open; 0 when it has ended. */
export function openHandles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** The processes that `pid` started and all below them, with their command lines. */
export const processTree = (pid: number): readonly { readonly pid: number; readonly command: string }[] =>
  descendants(pid).map((each) => ({
    pid: each,
    command: readText(`/proc/${each}/cmdline`).replaceAll('\0', ' '),
  }));

/** The processes that `pid` started, and those that these started. */
function descendants(pid: number): readonly number[] {
  return threadsOf(pid)
    .flatMap((thread) => readText(`/proc/${pid}/task/${thread}/children`).split(' '))
    .filter((child) => child !== '')
    .flatMap((child) => [Number(child), ...descendants(Number(child))]);
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Runs every side once per round, in turn, so that a drifting machine drifts for all. */
export async function interleave<T>(
  { rounds, journal, name }: { readonly rounds: number; readonly journal: Journal; readonly name: string },
  sides: Readonly<Record<string, () => Promise<T>>>,
): Promise<Record<string, T[]>> {
  const samples: Record<string, T[]> = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [side, run] of Object.entries(sides)) {
      console.error(`${name}: round ${round} of ${rounds}, ${side}`);
      samples[side]?.push(await journal.once(`${name}, ${side}, round ${round}`, run));
    }
  }
  return samples;
}

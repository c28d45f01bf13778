/** Measuring whole processes: wall time and peak memory, both sides in turn, medians and ratios. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One finished process. */
export interface ProcessSample {
  readonly seconds: number;
  /** Largest resident set, from the kernel's own high-water mark. */
  readonly peakBytes: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Between two looks at the kernel's high-water mark. */
const POLL_MS = 10;

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
  let peakBytes = 0;
  const poll = setInterval(() => {
    peakBytes = Math.max(peakBytes, highWaterMark(child.pid));
  }, POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  clearInterval(poll);
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${output.stderr.trim().slice(-500)}`);
  return { seconds: (performance.now() - startedAt) / 1000, peakBytes, ...output };
}

function highWaterMark(pid: number | undefined): number {
  try {
    const [, kilobytes = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
}

/** Runs every side once per round, in turn, so that a drifting machine drifts for all. */
export async function interleave<T>(
  rounds: number,
  sides: Readonly<Record<string, () => Promise<T>>>,
): Promise<Record<string, T[]>> {
  const samples: Record<string, T[]> = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [side, run] of Object.entries(sides)) samples[side]?.push(await run());
  }
  return samples;
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

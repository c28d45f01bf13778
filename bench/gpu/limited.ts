/** Running a program for so long and no longer, with all that it starts. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Why something cannot be had on this machine, which is no failure. */
export class NotPossibleError extends Error {
  override readonly name = 'NotPossibleError';
}

/** A program that failed, or was not done in time. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  /** What it had printed. */
  readonly stdout: string;

  constructor(reason: string, stdout: string) {
    super(reason);
    this.stdout = stdout;
  }
}

/** A check of many parts, of which some failed. */
export class FailuresError extends Error {
  override readonly name = 'FailuresError';
  readonly failures: readonly string[];

  constructor(message: string, failures: readonly string[]) {
    super(message);
    this.failures = failures;
  }
}

interface Limits {
  readonly limitMs: number;
  /** Beside the variables of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Longest reason that a report repeats. */
const LONGEST_REASON = 500;

/** What a program prints on stdout. @throws {ProgramError} where it fails or takes longer */
export async function runLimited(
  command: string,
  args: readonly string[],
  { limitMs, env = {} }: Limits,
): Promise<string> {
  // A group of its own, of which nothing is left behind on the card.
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child.pid);
  }, limitMs);
  const ending = await new Promise<string | undefined>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? code}`));
  });
  clearTimeout(timer);
  killGroup(child.pid);
  if (isLate) throw new ProgramError(`took more than ${Math.round(limitMs / 1000)} s`, stdout);
  if (ending !== undefined) throw new ProgramError(reasonIn(stderr) ?? ending, stdout);
  return stdout;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, constants.signals.SIGKILL);
  } catch {
    // All have ended.
  }
}

/** Of what a program of Node or Python wrote as it failed, the error itself; else its last line. */
export function reasonIn(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const error = lines.find((line) => /^(?:[\w.]+\.)?\w*(?:Error|Exception)\b.*: /.test(line)) ?? lines.at(-1);
  return error?.trim().slice(0, LONGEST_REASON);
}

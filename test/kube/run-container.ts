/** One container from start to end: a process, or what a test plays in its place. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerProcess, type Mounts } from './container-process.js';
import type { KubeObject } from './objects.js';

/** A container that is played instead of run. */
export interface Played {
  readonly exitCode: number;
  /** `Error`, `OOMKilled`; by default as the exit code says. */
  readonly reason?: string;
  /** What it leaves as its termination message. */
  readonly message?: string;
  /** How long it seems to work; Infinity until its pod is deleted. */
  readonly ms?: number;
  /** It seems to work until then. */
  readonly until?: Promise<unknown>;
  /** What it writes. */
  readonly log?: string;
}

/** A termination message is cut there. */
const MAX_MESSAGE = 4096;
const MAX_FALLBACK = 2048;

/** What its node knows of a container's pod. */
export interface ContainerContext {
  /** Where logs lie. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Processes of the containers that run. */
  readonly processes: Map<string, number>;
  /** Containers that have ended. */
  readonly ended: Set<string>;
  /** Undefined for a container that is run. */
  readonly play: (pod: KubeObject, container: string) => Played | undefined;
}

/** Where a container's log lies. */
export const logPath = (directory: string, pod: KubeObject, container: string) =>
  join(directory, 'pods', `${pod.metadata.uid}`, `${container}.log`);

/** Runs (or plays) a container to its end. */
export async function runContainer(
  pod: KubeObject,
  {
    container,
    mounts,
    onStart,
  }: { readonly container: KubeObject; readonly mounts: Mounts; readonly onStart: () => void },
  { directory, processes, ended, signal, play }: ContainerContext,
): Promise<{ readonly exitCode: number; readonly reason: string; readonly message: string }> {
  const { name } = container;
  const path = logPath(directory, pod, name);
  const messagePath = path.replace(/log$/, 'message');
  writeFileSync(path, '');
  writeFileSync(messagePath, '');
  const played = play(pod, name);
  if (played !== undefined) {
    const { exitCode, message = '', ms = 0, log = '', until } = played;
    writeFileSync(path, log);
    processes.set(name, -1);
    onStart();
    await new Promise<void>((done) => {
      void until?.then(() => done());
      const isOpen = until !== undefined || ms === Number.POSITIVE_INFINITY;
      const timer = isOpen ? undefined : setTimeout(done, ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        done();
      });
    });
    processes.delete(name);
    ended.add(name);
    const { reason = exitCode === 0 ? 'Completed' : 'Error' } = played;
    return { exitCode: signal.aborted ? 143 : exitCode, reason, message };
  }
  const { file, arguments: given, env } = containerProcess(pod, { container, mounts, messagePath });
  const output = openSync(path, 'a');
  const child = spawn(file, given, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  processes.set(name, child.pid ?? -1);
  const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  let kill: NodeJS.Timeout | undefined;
  const onAbort = () => {
    child.kill('SIGTERM');
    kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  onStart();
  const exitCode = await new Promise<number>((done) => {
    child.once('error', () => done(128));
    child.once('exit', (code, by) => done(code ?? (by === 'SIGKILL' ? 137 : by === 'SIGTERM' ? 143 : 134)));
  });
  clearTimeout(kill);
  signal.removeEventListener('abort', onAbort);
  ended.add(name);
  processes.delete(name);
  const written = readFileSync(messagePath, 'utf8').slice(0, MAX_MESSAGE);
  const falls =
    container.terminationMessagePolicy === 'FallbackToLogsOnError' && exitCode !== 0 && written === '';
  const message = falls ? readFileSync(path, 'utf8').slice(-MAX_FALLBACK) : written;
  return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', message };
}

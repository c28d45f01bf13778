/** Tries a backend in a process of its own: native libraries crash, hang and print, and none of that may reach us. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { backendTitle, type RegisteredBackend } from './engine-registry.js';

/** What the trial program says, a line at a time. */
const trialMessageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('works'), session: z.string(), blocks: z.string().optional() }),
  z.object({ kind: z.literal('measured'), session: z.string(), imagesPerSecond: z.number(), batch: z.int() }),
  z.object({ kind: z.literal('refused'), reason: z.string() }),
]);
export type TrialMessage = z.infer<typeof trialMessageSchema>;

/** What a trial found. */
export type TrialResult =
  | {
      readonly works: true;
      /** What a training session says that it runs on. */
      readonly session: string;
      /** What is known about blocked images, where the engine has them. */
      readonly blocks?: string;
      readonly imagesPerSecond?: number;
      /** Examples per measured step. */
      readonly batch?: number;
      /** Why there is no speed, where it was asked for. */
      readonly notMeasured?: string;
    }
  | { readonly works: false; readonly reason: string };

/** How to try. */
interface TrialOptions {
  /** Also measure the speed, for about so long; 0 does not. */
  readonly measureSeconds?: number;
  readonly threads?: number;
  /** The program is killed after this time. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The program; replaced in tests by one that crashes or hangs. */
  readonly program?: URL;
}

/** Loading TensorFlow with its CUDA libraries for the first time takes tens of seconds on slow disks. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** Tries `backend`: never fails, whatever it does; rejects when `signal` aborts. */
export async function trialInChild(
  backend: RegisteredBackend,
  {
    measureSeconds = 0,
    threads = 1,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    signal,
    program = new URL('./trial-program.js', import.meta.url),
  }: TrialOptions = {},
): Promise<TrialResult> {
  const child = await execa(
    process.execPath,
    [fileURLToPath(program), backendTitle(backend), `${measureSeconds}`, `${threads}`],
    {
      reject: false,
      stdin: 'ignore',
      timeout: timeoutMs,
      forceKillAfterDelay: 1_000,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    },
  );
  signal?.throwIfAborted();
  const messages = child.stdout.split('\n').flatMap(parseMessage);
  const refused = messages.find(({ kind }) => kind === 'refused');
  const works = messages.find(({ kind }) => kind === 'works');
  const measured = messages.find(({ kind }) => kind === 'measured');
  if (refused?.kind === 'refused' && works === undefined) return { works: false, reason: refused.reason };
  const ending = child.timedOut
    ? `took more than ${Math.round(timeoutMs / 1000)} s`
    : child.signal === undefined
      ? child.failed
        ? `ended with exit code ${child.exitCode}`
        : undefined
      : `crashed (${child.signal})`;
  if (works?.kind !== 'works') return { works: false, reason: ending ?? 'it said nothing' };
  return {
    works: true,
    session: measured?.kind === 'measured' ? measured.session : works.session,
    ...(works.blocks === undefined ? {} : { blocks: works.blocks }),
    ...(measured?.kind === 'measured'
      ? { imagesPerSecond: measured.imagesPerSecond, batch: measured.batch }
      : {}),
    ...(measured === undefined && measureSeconds > 0
      ? { notMeasured: (refused?.kind === 'refused' ? refused.reason : ending) ?? 'it said nothing' }
      : {}),
  };
}

/** Libraries print on stdout too: what is no message of ours is passed over. */
function parseMessage(line: string): readonly TrialMessage[] {
  try {
    const parsed = trialMessageSchema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}

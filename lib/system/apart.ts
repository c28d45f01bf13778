/** Work in a process of its own: what ends it, stops it or fills its memory fails alone, and the process is replaced. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ApartReply, ApartRequest } from './answer-apart.js';
import { giveWay, usageOfProcess } from './processes.js';
import { createSlots } from './slots.js';

/** How the process is started, and what it may take. */
export interface ApartOptions {
  /** What it runs: a module that calls `answerApart` of answer-apart.ts. */
  readonly module: URL;
  /** It says nothing for so long at most, from when it has come up. */
  readonly deadlineMs: number;
  /** It takes so much of the processor at most without saying anything, on Linux: a busy machine is nobody's fault. */
  readonly mostCpuMs?: number;
  /** Of memory, on Linux; elsewhere only what JavaScript's own heap takes is bounded. */
  readonly mostBytes?: number;
  /** Requests that it is given at the same time; any number by default. */
  readonly atOnce?: number;
  /** What it reads from its standard input. */
  readonly input?: Uint8Array;
  /** Whether what it says of its own end, which may be pages, goes nowhere. */
  readonly isQuiet?: boolean;
  /** Whether it lets all others go first where the processor has too much to do. */
  readonly givesWay?: boolean;
}

/** Asks a process. */
export interface Apart<Request, Value, Part = never> {
  /**
   * The answer to a request; `onPart` hears what is told on the way to it, in a process of `atOnce` 1 alone.
   *
   * @throws {ApartEnded} when the request ends the process, is silent for too long, or takes too much
   */
  ask(request: Request, onPart?: (part: Part) => void): Promise<Value>;
  /** Starts the process, so that the first request need not wait for that. */
  start(): void;
  end(): void;
}

/** The process ended, or was ended, while it worked. */
export class ApartEnded extends Error {
  override readonly name = 'ApartEnded';
  readonly why: 'ended' | 'late' | 'large';
  /** Whether it had come up at all. */
  readonly wasReady: boolean;

  constructor(how: string, { why, wasReady }: Pick<ApartEnded, 'why' | 'wasReady'>) {
    super(how);
    this.why = why;
    this.wasReady = wasReady;
  }
}

/** How often a process that works is looked at: it fills little in so short a time. */
const LOOK_EVERY_MS = 50;

/** Makes one. The process starts with the first request, and keeps no other process alive. */
export function createApart<Request, Value, Part = never>(
  options: ApartOptions,
): Apart<Request, Value, Part> {
  const turns = createSlots(options.atOnce ?? Number.POSITIVE_INFINITY);
  const alone = createSlots(1);
  let shared: ApartProcess | undefined;
  const sharedProcess = () => {
    if (shared === undefined || shared.hasEnded()) shared = startProcess(options);
    return shared;
  };

  async function ask(request: Request, onPart?: (part: Part) => void): Promise<Value> {
    const hear = onPart as Asked['onPart'];
    const asked = sharedProcess();
    try {
      return (await asked.ask(request, hear)) as Value;
    } catch (error) {
      if (!(error instanceof ApartEnded) || asked.wasAlone()) throw error;
    }
    // Others were worked on beside it: whose fault it was shows when each is alone.
    return alone.use(async () => {
      const own = startProcess(options);
      try {
        return (await own.ask(request, hear)) as Value;
      } finally {
        own.end();
      }
    });
  }

  return {
    ask: (request, onPart) => turns.use(() => ask(request, onPart)),
    start: () => void sharedProcess(),
    end: () => shared?.end(),
  };
}

/** One life of the process. */
interface ApartProcess {
  ask(request: unknown, onPart: Asked['onPart']): Promise<unknown>;
  hasEnded(): boolean;
  /** Whether it worked on one request alone when it ended. */
  wasAlone(): boolean;
  end(): void;
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onPart: ((part: unknown) => void) | undefined;
  deadline: NodeJS.Timeout | undefined;
}

function startProcess(options: ApartOptions): ApartProcess {
  const { module, deadlineMs, mostBytes, mostCpuMs, input, isQuiet = false } = options;
  const child: ChildProcess = fork(fileURLToPath(module), {
    execArgv: mostBytes === undefined ? [] : [`--max-old-space-size=${Math.floor(mostBytes / 2 ** 20)}`],
    serialization: 'advanced',
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', isQuiet ? 'ignore' : 'inherit', 'ipc'],
  });
  if (options.givesWay === true && child.pid !== undefined) giveWay(child.pid);
  // A process that has ended takes no more: its end tells.
  child.stdin?.on('error', () => undefined).end(input);
  const pending = new Map<number, Asked>();
  let [nextId, isReady, hasEnded, wasAlone] = [0, false, false, false];
  let why: ApartEnded['why'] = 'ended';
  let watch: NodeJS.Timeout | undefined;
  let saidAtCpuMs: number | undefined;

  function stop(reason: ApartEnded['why']): void {
    why = reason;
    child.kill('SIGKILL');
  }

  const startDeadline = () => setTimeout(() => stop('late'), deadlineMs);

  function look(): void {
    const { cpuMs, residentBytes } = usageOfProcess(child.pid);
    if (residentBytes > (mostBytes ?? Number.POSITIVE_INFINITY)) stop('large');
    saidAtCpuMs ??= cpuMs;
    if (cpuMs - saidAtCpuMs > (mostCpuMs ?? Number.POSITIVE_INFINITY)) stop('late');
  }

  // Held, and looked at, only while somebody waits for it.
  function hold(): void {
    for (const each of [child, child.channel]) pending.size > 0 ? each?.ref() : each?.unref();
    if (pending.size === 0) {
      clearInterval(watch);
      watch = undefined;
    } else if (mostBytes !== undefined || mostCpuMs !== undefined) watch ??= setInterval(look, LOOK_EVERY_MS);
  }
  hold();

  function settle(id: number): Asked | undefined {
    const found = pending.get(id);
    pending.delete(id);
    clearTimeout(found?.deadline);
    hold();
    return found;
  }

  function over(how: string): void {
    if (!hasEnded) wasAlone = pending.size === 1;
    hasEnded = true;
    child.kill('SIGKILL');
    for (const id of [...pending.keys()]) settle(id)?.reject(new ApartEnded(how, { why, wasReady: isReady }));
  }

  child.on('exit', (code, signal) => over(signal ?? `exit code ${code}`));
  child.on('error', ({ message }) => over(message));
  child.on('message', (reply: ApartReply) => {
    saidAtCpuMs = undefined;
    if ('isReady' in reply) {
      isReady = true;
      for (const asked of pending.values()) asked.deadline ??= startDeadline();
    } else if ('part' in reply) {
      const asked = pending.get(reply.id);
      asked?.deadline?.refresh();
      try {
        asked?.onPart?.(reply.part);
      } catch (error) {
        // Nobody wants the rest.
        settle(reply.id)?.reject(error);
        child.kill('SIGKILL');
        hasEnded = true;
      }
    } else {
      const asked = settle(reply.id);
      if ('value' in reply) asked?.resolve(reply.value);
      else asked?.reject(new Error(reply.bug));
    }
  });
  return {
    hasEnded: () => hasEnded,
    wasAlone: () => wasAlone,
    end: () => void child.kill('SIGKILL'),
    ask: (request, onPart) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        saidAtCpuMs = undefined;
        pending.set(id, { resolve, reject, onPart, deadline: isReady ? startDeadline() : undefined });
        hold();
        // What cannot be sent is told by the end of the process.
        const sent: ApartRequest<unknown> = { id, request };
        child.send(sent, (error) => error !== null && over(error.message));
      }),
  };
}

/**
 * Decodes pictures in a process of its own: the libraries behind it are native, and a picture that ends or stops them ends
 * its own request alone. The process is replaced, and who was read beside that picture is read again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HttpProblem } from '../../lib/http/problems.js';
import { createSlots } from '../../lib/system/slots.js';
import { type GivenImage, requireBounded, type Sides, sidesInHeader } from './decode-image.js';

/** Asks the process. */
export interface DecodeRequest {
  readonly id: number;
  readonly wanted: 'sides' | 'picture';
  readonly bytes: Uint8Array;
}

/** What it answers: a value, or what is wrong with the picture and with which HTTP status, or with the process. */
export type DecodeReply =
  /** It has come up: from here on it is its pictures that take time. */
  | { readonly isReady: true }
  | ({ readonly id: number } & (
      | { readonly value: Sides | GivenImage }
      | { readonly status: number; readonly message: string }
      | { readonly bug: string }
    ));

/** Reads pictures elsewhere. */
export interface PictureDecoder {
  /** As `readSides` of decode-image.ts. @throws {HttpProblem} as that does */
  readSides(bytes: Uint8Array): Promise<Sides>;
  /** As `decodeImage`, of some pictures at a time. @throws {HttpProblem} as that does */
  decodeImage(bytes: Uint8Array): Promise<GivenImage>;
  /** Starts the process, so that the first picture need not wait for that. */
  start(): void;
}

interface DecoderOptions {
  /** The process's module; the one that decodes by default. */
  readonly workerUrl?: URL;
  /** How long a picture may take, from when it is its turn and the process is there. */
  readonly deadlineMs?: number;
}

/** Above, a picture takes one thread for up to a second: a phone's photos, and what was made to be slow. */
const LARGE_PIXELS = 4_000_000;
/** The decoder itself gives up after some seconds; this is for one that does not come to that. */
const DEADLINE_MS = 15_000;

/** Makes a decoder. Its process starts with the first picture, and keeps no other process alive. */
export function createDecoder({
  workerUrl = new URL('./decode-worker.js', import.meta.url),
  deadlineMs = DEADLINE_MS,
}: DecoderOptions = {}): PictureDecoder {
  const file = fileURLToPath(workerUrl);
  let shared: DecodeProcess | undefined;
  const sharedProcess = (): DecodeProcess => {
    if (shared === undefined || shared.hasEnded()) shared = startProcess(file, deadlineMs);
    return shared;
  };
  const alone = createSlots(1);
  // The process has four threads for pictures: small ones never wait for large ones.
  const turns = { small: createSlots(2), large: createSlots(1) };

  async function ask<Value>(wanted: DecodeRequest['wanted'], bytes: Uint8Array): Promise<Value> {
    try {
      return (await sharedProcess().read(wanted, bytes)) as Value;
    } catch (error) {
      if (!(error instanceof DecoderEnded)) throw error;
      if (error.ending.wasAlone) throw refusal(error, deadlineMs);
    }
    // Others were read beside it: whose fault it was shows when each is read alone.
    return alone.use(async () => {
      const own = startProcess(file, deadlineMs);
      try {
        return (await own.read(wanted, bytes)) as Value;
      } catch (error) {
        throw error instanceof DecoderEnded ? refusal(error, deadlineMs) : error;
      } finally {
        own.end();
      }
    });
  }

  async function readSides(bytes: Uint8Array): Promise<Sides> {
    return requireBounded(sidesInHeader(bytes) ?? (await ask<Sides>('sides', bytes)));
  }

  return {
    readSides,
    async decodeImage(bytes) {
      const { width, height } = await readSides(bytes);
      const pixels = width * height;
      const slots = turns[pixels > LARGE_PIXELS ? 'large' : 'small'];
      return slots.use(() => ask<GivenImage>('picture', bytes), { cost: pixels });
    },
    start: () => void sharedProcess(),
  };
}

/** The decoder of this process's servers. */
export const pictureDecoder: PictureDecoder = createDecoder();

/** How the process ended, or was ended, while it read. */
interface Ending {
  /** Whether it read nothing else. */
  readonly wasAlone: boolean;
  /** Whether it had come up at all. */
  readonly wasReady: boolean;
  readonly isLate: boolean;
}

class DecoderEnded extends Error {
  override readonly name = 'DecoderEnded';
  readonly ending: Ending;

  constructor(ending: Ending) {
    super('the process that decodes pictures ended');
    this.ending = ending;
  }
}

/** The picture's fault, unless the process never came up. */
function refusal(cause: DecoderEnded, deadlineMs: number): Error {
  const { isLate, wasReady } = cause.ending;
  if (!wasReady) return new Error('The process that decodes pictures did not start.', { cause });
  const what = isLate
    ? `takes more than ${deadlineMs / 1000} s to read`
    : 'is damaged in a way that ends its decoder, and cannot be read';
  return new HttpProblem(422, `The image ${what}.`, { cause });
}

/** One life of the process. */
interface DecodeProcess {
  read(wanted: DecodeRequest['wanted'], bytes: Uint8Array): Promise<Sides | GivenImage>;
  hasEnded(): boolean;
  end(): void;
}

interface Pending {
  readonly resolve: (value: Sides | GivenImage) => void;
  readonly reject: (error: Error) => void;
  deadline: NodeJS.Timeout | undefined;
}

function startProcess(file: string, deadlineMs: number): DecodeProcess {
  const child: ChildProcess = fork(file, {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const pending = new Map<number, Pending>();
  let [nextId, isReady, isLate, hasEnded] = [0, false, false, false];
  const startDeadline = () =>
    setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, deadlineMs);
  // Held only while somebody waits for it.
  const hold = () => {
    for (const each of [child, child.channel]) pending.size > 0 ? each?.ref() : each?.unref();
  };
  hold();

  function settle(id: number): Pending | undefined {
    const found = pending.get(id);
    pending.delete(id);
    clearTimeout(found?.deadline);
    hold();
    return found;
  }

  function over(): void {
    hasEnded = true;
    const wasAlone = pending.size === 1;
    for (const id of [...pending.keys()])
      settle(id)?.reject(new DecoderEnded({ wasAlone, wasReady: isReady, isLate }));
  }

  child.on('exit', over).on('error', over);
  child.on('message', (reply: DecodeReply) => {
    if ('isReady' in reply) {
      isReady = true;
      for (const asked of pending.values()) asked.deadline ??= startDeadline();
      return;
    }
    const asked = settle(reply.id);
    if ('value' in reply) asked?.resolve(reply.value);
    else asked?.reject('bug' in reply ? new Error(reply.bug) : new HttpProblem(reply.status, reply.message));
  });
  return {
    hasEnded: () => hasEnded,
    end: () => void child.kill('SIGKILL'),
    read: (wanted, bytes) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        const deadline = isReady ? startDeadline() : undefined;
        pending.set(id, { resolve, reject, deadline });
        hold();
        // What cannot be sent is told by the end of the process.
        child.send({ id, wanted, bytes } satisfies DecodeRequest, (error) => error !== null && over());
      }),
  };
}

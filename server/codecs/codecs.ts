/** Reading requests and writing answers by name: small ones at once, large ones in a thread of their own, so that they hold up nobody. */
import { Worker } from 'node:worker_threads';
import { HttpProblem } from '../../lib/http/problems.js';
import { writeAnswersCsv, writeWords } from './answer-texts.js';
import { readInferBody, writeInferAnswer } from './inference-json.js';
import { readPredictMessage, writePredictAnswer } from './predict-message.js';
import { readTableBody } from './tables.js';
import { readClassifyBody, readPredictBody, writeClasses, writePredictions } from './tensorflow-json.js';

/** The functions. */
export const CODECS = {
  readPredictBody,
  readClassifyBody,
  writePredictions,
  writeClasses,
  readInferBody,
  writeInferAnswer,
  readPredictMessage,
  writePredictAnswer,
  readTableBody,
  writeWords,
  writeAnswersCsv,
} as const;

type CodecName = keyof typeof CODECS;
type Codec<Name extends CodecName> = (typeof CODECS)[Name];

/** Asks the thread. */
export interface CodecRequest {
  readonly name: CodecName;
  readonly argument: object;
}

/** What the thread answers: a value, or what is wrong and with which HTTP status. */
export type CodecReply =
  | { readonly value: object }
  | { readonly status: number | undefined; readonly message: string };

/** The memory below the arrays in some plain data, to be handed over and not copied. */
export function buffersOf(value: unknown): ReadonlySet<ArrayBuffer> {
  if (value instanceof Uint8Array || value instanceof Float32Array)
    return new Set(value.buffer instanceof ArrayBuffer ? [value.buffer] : []);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Set();
  return new Set(Object.values(value).flatMap((each) => [...buffersOf(each)]));
}

/** Reads and writes bodies and messages. */
export interface Codecs {
  /**
   * Calls a function of the table. What is large is handed over: the caller must not use it afterwards.
   *
   * @param sizeBytes of what is read or written
   * @throws {HttpProblem} with what is wrong with the body
   */
  run<Name extends CodecName>(
    name: Name,
    argument: Parameters<Codec<Name>>[0],
    sizeBytes: number,
  ): ReturnType<Codec<Name>> | Promise<Awaited<ReturnType<Codec<Name>>>>;
}

/** Up to here a body costs the event loop less than its way to the thread and back costs everybody. */
const INLINE_BYTES = 65_536;
/** The bounds of json.ts and tensor.ts keep a body well below; beyond, the thread ends and not the server. */
const HEAP_MEGABYTES = 1_024;

/** A thread that nobody has asked for so long ends, and what it took of the memory for large bodies with it. */
const IDLE_MS = 5_000;

const nothing = (): void => undefined;

/** Makes codecs; their thread starts with a large body, and keeps no process alive. */
export function createCodecs({ idleMs = IDLE_MS } = {}): Codecs {
  let worker: Worker | undefined;
  // One after the other: what many ask at the same time takes no more memory than what one asks.
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let idle: NodeJS.Timeout | undefined;

  function start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: HEAP_MEGABYTES };
    const started = new Worker(new URL('./codec-worker.js', import.meta.url), { resourceLimits });
    started.unref();
    // What ends it is told by its end.
    started
      .on('error', () => undefined)
      .once('exit', () => {
        if (worker === started) worker = undefined;
      });
    worker = started;
    return started;
  }

  /** Asks once all that was asked before has been answered. */
  async function askNext(request: CodecRequest): Promise<unknown> {
    clearTimeout(idle);
    waiting++;
    const answer = last.then(() => ask(request));
    // No answer is held until the next.
    last = answer.then(nothing, nothing);
    try {
      return await answer;
    } finally {
      if (--waiting === 0) idle = setTimeout(end, idleMs).unref();
    }
  }

  function end(): void {
    void worker?.terminate();
    // Who asks from now on gets another.
    worker = undefined;
  }

  function ask(request: CodecRequest): Promise<unknown> {
    const asked = worker ?? start();
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        asked.off('message', onReply).off('exit', onEnd);
        finish();
      };
      const onReply = (reply: CodecReply) =>
        settle(() => ('value' in reply ? resolve(reply.value) : reject(errorOf(reply))));
      const onEnd = () =>
        settle(() => reject(new HttpProblem(413, 'The body takes too much memory to read.')));
      asked.on('message', onReply).on('exit', onEnd);
      asked.postMessage(request, [...buffersOf(request.argument)]);
    });
  }

  return {
    run(name, argument, sizeBytes) {
      // Each name has its own types, which a look-up by a variable name loses.
      const codec = CODECS[name] as (given: typeof argument) => ReturnType<Codec<typeof name>>;
      if (sizeBytes <= INLINE_BYTES) return codec(argument);
      return askNext({ name, argument }) as Promise<Awaited<ReturnType<typeof codec>>>;
    },
  };
}

function errorOf({ status, message }: Exclude<CodecReply, { readonly value: unknown }>): Error {
  return status === undefined ? new Error(message) : new HttpProblem(status, message);
}

/** One HTTP request and its answer, without a framework: what the API's hot routes need and no more. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpProblem } from '../problems.js';

/** Bounds on the bodies of API requests. */
export interface BodyLimits {
  /** Largest body. */
  readonly maxBodyBytes: number;
  /** What all bodies that are being read together may take in memory. */
  readonly maxHeldBytes: number;
}

export const DEFAULT_BODY_LIMITS: BodyLimits = { maxBodyBytes: 16_000_000, maxHeldBytes: 320_000_000 };

/** Reads whole bodies within limits that hold for all of them together. */
export interface BodyReader {
  /** @throws {HttpProblem} 413 where the body is too large, 415 where it is compressed, 503 where too much is held */
  read(request: IncomingMessage): Promise<Buffer>;
}

/** Makes a reader. */
export function createBodyReader({ maxBodyBytes, maxHeldBytes }: BodyLimits): BodyReader {
  let heldBytes = 0;
  return {
    read(request) {
      const { 'content-encoding': encoding = 'identity', 'content-length': declared = '0' } = request.headers;
      if (encoding !== 'identity')
        throw new HttpProblem(415, `Send the body as it is: Content-Encoding ${encoding} is not taken.`);
      if (Number(declared) > maxBodyBytes) throw tooLarge(maxBodyBytes);
      return new Promise((resolve, reject) => {
        let chunks: Buffer[] = [];
        let ownBytes = 0;
        let isSettled = false;
        const settle = (finish: () => void) => {
          if (isSettled) return;
          isSettled = true;
          heldBytes -= ownBytes;
          finish();
          chunks = [];
        };
        request.on('data', (chunk: Buffer) => {
          // What comes after a refusal is let go by: the answer is on its way.
          if (isSettled) return;
          chunks.push(chunk);
          ownBytes += chunk.length;
          heldBytes += chunk.length;
          if (ownBytes > maxBodyBytes) settle(() => reject(tooLarge(maxBodyBytes)));
          else if (heldBytes > maxHeldBytes) settle(() => reject(tooMuch()));
        });
        request.once('end', () => {
          const [only] = chunks;
          const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, ownBytes);
          settle(() => resolve(whole));
        });
        request.once('close', () => settle(() => reject(new HttpProblem(400, 'The body ended too soon.'))));
      });
    },
  };
}

// The rest of a refused body is not read: the connection ends with the answer.
const CLOSE = { Connection: 'close' } as const;

function tooLarge(maxBodyBytes: number): HttpProblem {
  return new HttpProblem(413, `The body is too large: at most ${maxBodyBytes / 1e6} MB are accepted.`, {
    headers: CLOSE,
  });
}

function tooMuch(): HttpProblem {
  return new HttpProblem(503, 'Too many requests at the moment; try again in a second.', {
    headers: { ...CLOSE, 'Retry-After': '1' },
  });
}

/** Parses a JSON body. @throws {HttpProblem} 400 with what is wrong with it */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (cause) {
    const found = body.length === 0 ? 'The body is empty' : 'The body is no JSON';
    throw new HttpProblem(400, `${found}: expected an object.`, { cause });
  }
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  sendBytes(response, Buffer.from(JSON.stringify(value)), {
    status,
    type: 'application/json; charset=utf-8',
  });
}

/** Answers with bytes. */
export function sendBytes(
  response: ServerResponse,
  bytes: Uint8Array,
  {
    status = 200,
    type,
    headers = {},
  }: { status?: number; type: string; headers?: Readonly<Record<string, string>> },
): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(bytes);
}

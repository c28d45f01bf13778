/** One HTTP request for the rest of a file (RFC 9110, section 14): what is asked, and what the answers mean. */
import { DownloadError, fromFetchError } from './download-error.js';
import type { Part } from './part.js';

/** What to ask for. */
interface RangeRequest {
  readonly url: string;
  /** What is there already. */
  readonly part: Part;
  readonly signal: AbortSignal;
}

/** What the server answered. */
export type RangeAnswer =
  | {
      readonly kind: 'bytes';
      /** Where `body` begins in the file: at the end of the part, or at 0 where the server sends all of it. */
      readonly startsAt: number;
      /** Size of the whole file, where the server tells. */
      readonly totalBytes: number | undefined;
      /** ETag or date of this version; empty where the server gives none that a later request could use. */
      readonly validator: string;
      readonly body: AsyncIterable<Uint8Array>;
    }
  /** The part is the whole file already. */
  | { readonly kind: 'complete' }
  /** The part is none of the file that the server has now. */
  | { readonly kind: 'mismatch' };

/** Asks for what is missing. @throws {DownloadError} when the server cannot be reached or refuses. */
export async function requestRest({ url, part, signal }: RangeRequest): Promise<RangeAnswer> {
  // fetch would unpack a compressed answer, and its bytes would no longer be those of the range.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (part.sizeBytes > 0) {
    headers.range = `bytes=${part.sizeBytes}-`;
    headers['if-range'] = part.validator;
  }
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    throw fromFetchError(url, error);
  });
  const answer = interpret(response, part);
  if (answer?.kind === 'bytes') return answer;
  await response.body?.cancel();
  if (answer === undefined) throw refusal(url, response);
  return answer;
}

/** The meaning of a status and its headers; undefined for a refusal. */
function interpret(response: Response, part: Part): RangeAnswer | undefined {
  const { status, headers, body } = response;
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const totalBytes = status === 200 ? headers.get('content-length') : range?.[2];
  const total = totalBytes && /^\d+$/.test(totalBytes) ? Number(totalBytes) : undefined;
  if (status === 416) return { kind: total === part.sizeBytes ? 'complete' : 'mismatch' };
  if (status === 206 && Number(range?.[1]) !== part.sizeBytes) return { kind: 'mismatch' };
  if ((status !== 200 && status !== 206) || body === null) return undefined;
  return {
    kind: 'bytes',
    startsAt: status === 206 ? part.sizeBytes : 0,
    totalBytes: total,
    validator: validatorOf(headers),
    body: bytesOf(response),
  };
}

/**
 * The bytes of an answer. They hold on to it: fetch cancels a body that nobody has begun to read once its answer is garbage,
 * and such a body ends as if it were whole.
 */
async function* bytesOf(response: Response): AsyncGenerator<Uint8Array> {
  yield* response.body as unknown as AsyncIterable<Uint8Array>;
}

/** A strong ETag, else the date; a weak ETag is no validator of bytes (RFC 9110, section 13.1.5). */
function validatorOf(headers: Headers): string {
  const tag = headers.get('etag') ?? '';
  return tag.startsWith('"') ? tag : (headers.get('last-modified') ?? '');
}

/** Request timeout, too early, too many requests, and the server's own troubles pass. */
const isPassing = (status: number) => [408, 425, 429].includes(status) || status >= 500;

function refusal(url: string, { status, statusText, headers }: Response): DownloadError {
  const seconds = Number(headers.get('retry-after') ?? 0);
  return new DownloadError({
    kind: 'refused',
    message: `${url} answers ${status} ${statusText}`.trim().concat('.'),
    transient: isPassing(status),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0,
  });
}

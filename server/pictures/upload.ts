/** Takes one uploaded image, or a form of an example or a file of many, into memory, within limits that are decided before any handler runs. */
import type { Writable } from 'node:stream';
import type { Request, RequestHandler, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { messageOf } from '../../lib/core/errors.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { createSlots } from '../../lib/system/slots.js';
import { takePlace, tooSlow } from '../api/exchange.js';
import { BodyParts, readInTurns } from '../body-parts.js';
import type { Room } from '../held-bytes.js';
import { LARGE_PIXELS, pictureDecoder } from './decode-apart.js';

/** The multipart field that carries the image. */
const FILE_FIELD = 'file';
/** Before the name of a field that belongs to an input of the model. */
export const FIELD_PREFIX = 'input.';

/** Bounds on uploads. */
export interface UploadLimits {
  /** Largest image file. */
  readonly maxFileBytes: number;
  /** Uploads that are decoded and answered at the same time; those that are still arriving do not count. */
  readonly maxRunning: number;
  /** Uploads that have arrived and may wait for their turn; more are answered 503. */
  readonly maxWaiting: number;
}

export const DEFAULT_UPLOAD_LIMITS: UploadLimits = {
  maxFileBytes: 5_000_000,
  maxRunning: 64,
  maxWaiting: 1_000,
};

/** Of large pictures few at a time: more would only wait for the process that reads them. */
const LARGE_RUNNING = 2;

/** A form of this many times the limit is refused without reading it to its end, as its declared length or on the way. */
const HOPELESS_FACTOR = 8;
const RETRY_AFTER_SECONDS = '1';
/** Bounds on the parts of a form. */
interface PartLimits {
  readonly files: number;
  readonly fields: number;
  readonly parts: number;
  readonly fieldNameSize: number;
  readonly fieldSize: number;
}

/** Of a picture: a few fields that nobody reads. */
const IMAGE_LIMITS: PartLimits = { files: 1, fields: 4, parts: 5, fieldNameSize: 100, fieldSize: 1_000 };
/** Of a form of an example: fields of several inputs, texts in them, and some pictures. */
const FORM_LIMITS: PartLimits = {
  files: 8,
  fields: 512,
  parts: 520,
  fieldNameSize: 200,
  fieldSize: 100_000,
};

/** Why a wait ends early. A reason of our own saves the error, and its stack, that every abort makes without one. */
const GONE = 'the client has its answer or is gone';

/** Handlers of what is uploaded; all that they take stays within the same limits together. */
export interface Uploads {
  /**
   * They leave the image of a `multipart/form-data` request in `request.file`, or fail with a problem. A turn is taken only
   * once the whole image is there, so that slow senders hold up nobody else.
   */
  readonly image: readonly RequestHandler[];
  /** They leave the fields of such a request in `request.body`, and its files, pictures among them, in `request.files`. */
  readonly form: readonly RequestHandler[];
}

interface UploadsOptions {
  readonly limits: UploadLimits;
  readonly room: Room;
  /** Whose request it is. */
  readonly addressOf: (request: Request) => string;
}

/** Makes the handlers. */
export function createUploads({ limits, room, addressOf }: UploadsOptions): Uploads {
  const { maxRunning, maxWaiting, maxFileBytes } = limits;
  const small = createSlots(maxRunning, { waiting: maxWaiting });
  const large = createSlots(Math.min(LARGE_RUNNING, maxRunning), { waiting: maxWaiting });
  const receive = (parts: PartLimits) => {
    // The types of multer do not know `streamHandler`.
    const options: multer.Options & { readonly streamHandler: typeof feed } = {
      storage: MEMORY,
      streamHandler: feed,
      limits: { ...parts, fileSize: maxFileBytes, headerPairs: 20, fieldNestingDepth: 0 },
    };
    return multer(options);
  };
  const parsing =
    (parse: RequestHandler): RequestHandler =>
    async (request, response, next) => {
      refuseByHeaders(request, maxFileBytes);
      const declaredBytes = Number(request.headers['content-length'] ?? 0);
      const place = await takePlace(request, { room, declaredBytes, address: addressOf(request) });
      response.once('close', () => place.release());
      let isSettled = false;
      const settle = (problem?: unknown) => {
        if (!isSettled) next(problem);
        isSettled = true;
      };
      // The parser tells what is wrong with a form at its end, which may never come.
      place.onStalled = () => settle(tooSlow());
      let length = 0;
      request.on('data', (part: Buffer) => {
        length += part.length;
        if (length > maxFileBytes * HOPELESS_FACTOR) settle(tooLarge(maxFileBytes));
        else if (!place.add(part.length)) settle(tooMany());
      });
      const end = (error: unknown) =>
        settle(error === undefined ? undefined : uploadProblem(error, maxFileBytes));
      refusals.set(response, end);
      parse(request, response, end);
    };

  /** Waits for the turn of some pictures. False where the client has gone meanwhile. */
  async function takeTurn(pictures: readonly Uint8Array[], response: Response): Promise<boolean> {
    const sides = await Promise.all(pictures.map(pictureDecoder.readSides));
    if (response.destroyed) return false;
    const pixels = sides.reduce((sum, { width, height }) => sum + width * height, 0);
    const gone = new AbortController();
    response.once('close', () => gone.abort(GONE));
    const slots = pixels > LARGE_PIXELS ? large : small;
    const release = await slots.acquire({ signal: gone.signal, cost: pixels });
    if (gone.signal.aborted) {
      release?.();
      return false;
    }
    if (release === undefined) throw tooMany();
    response.once('close', release);
    return true;
  }

  return {
    image: [
      parsing(receive(IMAGE_LIMITS).single(FILE_FIELD)),
      async ({ file }, response, next) => {
        if (file === undefined) throw noFile();
        if (await takeTurn([file.buffer], response)) next();
      },
    ],
    form: [
      parsing(receive(FORM_LIMITS).any()),
      async (request, response, next) => {
        const files = filesOf(request);
        const odd = files.find(({ fieldname }) => !isOurs(fieldname));
        if (odd !== undefined) throw wrongField(odd.fieldname);
        const pictures = files.filter(({ fieldname, size }) => fieldname !== FILE_FIELD && size > 0);
        const bytes = pictures.map(({ buffer }) => buffer);
        if (await takeTurn(bytes, response)) next();
      },
    ],
  };
}

const isOurs = (field: string): boolean => field === FILE_FIELD || field.startsWith(FIELD_PREFIX);

/** The files of a form, in the order in which they came. */
function filesOf({ files }: Request): readonly Express.Multer.File[] {
  return Array.isArray(files) ? files : [];
}

/** The file in a field of a form; undefined where there is none, or an empty one as of a browser that was given none. */
export function fileIn(request: Request, field = FILE_FIELD): Uint8Array | undefined {
  const found = filesOf(request).find(({ fieldname, size }) => fieldname === field && size > 0);
  return found?.buffer;
}

/** Keeps files in memory until their requests are answered or gone. */
const MEMORY: StorageEngine = {
  _handleFile({ res, headers }, { stream }, done) {
    let parts = new BodyParts(Number(headers['content-length'] ?? 0));
    let isOver = false;
    const drop = () => {
      isOver = true;
      parts = new BodyParts();
    };
    res?.once('close', drop);
    stream.on('data', (part: Uint8Array) => {
      if (!isOver) parts.add(part);
    });
    stream.once('limit', () => {
      parts = new BodyParts();
      if (res !== undefined) refusals.get(res)?.(new MulterError('LIMIT_FILE_SIZE'));
    });
    stream.on('end', () => {
      if (!isOver) done(null, { buffer: parts.bytes(), size: parts.length });
    });
  },
  _removeFile: (_request, _file, done) => done(null),
};

/**
 * What tells at once that a form is refused, by its answer. Its parser would read the rest of it first, as fast as it
 * comes.
 */
const refusals = new WeakMap<Response, (error: unknown) => void>();

/** Gives a form to its parser. */
function feed(request: Request, parser: Writable): void {
  parser.once('error', (error) => {
    if (request.res !== undefined) refusals.get(request.res)?.(error);
  });
  readInTurns(request, (part) => {
    // Where the form has been given up, the rest of it goes by.
    if (parser.writableNeedDrain) return undefined;
    let takesMore = true;
    const taken = new Promise<void>((resolve) => {
      takesMore = parser.write(part, () => resolve());
    });
    return takesMore ? undefined : taken;
  });
  request.once('end', () => parser.end());
}

/** What can be told from the headers is told before the body is read. */
function refuseByHeaders(request: Request, maxFileBytes: number): void {
  const type = request.headers['content-type'];
  if (type === undefined) throw noFile();
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new HttpProblem(
      415,
      `Expected multipart/form-data with an image in the field "${FILE_FIELD}", found ${type.split(';')[0]}.`,
    );
  }
  if (Number(request.headers['content-length'] ?? 0) > maxFileBytes * HOPELESS_FACTOR)
    throw tooLarge(maxFileBytes);
}

function noFile(): HttpProblem {
  return new HttpProblem(400, `No file was sent: expected an image in the field "${FILE_FIELD}".`);
}

function tooLarge(maxFileBytes: number): HttpProblem {
  return new HttpProblem(413, `The file is too large: at most ${maxFileBytes / 1e6} MB are accepted.`);
}

function tooMany(): HttpProblem {
  return new HttpProblem(503, 'Too many uploads at the moment; try again in a second.', {
    headers: { 'Retry-After': RETRY_AFTER_SECONDS },
  });
}

function wrongField(field: string): HttpProblem {
  return new HttpProblem(400, `Expected the image in the field "${FILE_FIELD}", found it in "${field}".`);
}

function uploadProblem(error: unknown, maxFileBytes: number): unknown {
  if (error instanceof HttpProblem) return error;
  if (!(error instanceof MulterError)) {
    // What the multipart parser itself says about a malformed body.
    const message = messageOf(error);
    return new HttpProblem(400, `The multipart body is malformed: ${message}.`, { cause: error });
  }
  switch (error.code) {
    case 'LIMIT_FILE_SIZE':
      return tooLarge(maxFileBytes);
    case 'LIMIT_UNEXPECTED_FILE':
      return error.field === FILE_FIELD
        ? new HttpProblem(400, 'Send one image at a time.')
        : wrongField(error.field ?? '');
    case 'LIMIT_FILE_COUNT':
      return new HttpProblem(400, 'Send one image at a time.');
    default:
      return new HttpProblem(400, `The form is not what was expected: ${error.message.toLowerCase()}.`);
  }
}

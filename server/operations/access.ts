/** Who may ask: bearer tokens and basic authentication, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { DataError } from '../../lib/core/errors.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';

/** Secrets of the server, each from a file. */
export interface Access {
  /** Whether anybody has to show anything. */
  readonly isOpen: boolean;
  /** Whether an `Authorization` header lets its sender in. */
  allows(authorization: string | undefined): boolean;
  /** Whether it lets its sender administer the server; never where there is no admin token. */
  allowsAdmin(authorization: string | undefined): boolean;
  readonly hasAdmin: boolean;
  /** What a refused client is asked for. */
  readonly challenge: string;
}

/** Where the secrets are. */
export interface AccessFiles {
  /** A bearer token. */
  readonly tokenFile?: string;
  /** `user:password`, one a line. */
  readonly usersFile?: string;
  /** A bearer token for `/admin`. */
  readonly adminTokenFile?: string;
}

/** A server that anybody may ask and nobody may administer. */
export const OPEN_ACCESS: Access = {
  isOpen: true,
  allows: () => true,
  allowsAdmin: () => false,
  hasAdmin: false,
  challenge: '',
};

/** Reads the secrets. @throws {DataError} where a file is missing, empty or not what it should be */
export async function readAccess({ tokenFile, usersFile, adminTokenFile }: AccessFiles): Promise<Access> {
  const tokens = tokenFile === undefined ? [] : [await readToken(tokenFile)];
  const users = usersFile === undefined ? [] : await readUsers(usersFile);
  const admins = adminTokenFile === undefined ? [] : [await readToken(adminTokenFile)];
  const isOpen = tokens.length + users.length === 0;
  return {
    isOpen,
    hasAdmin: admins.length > 0,
    challenge: users.length > 0 ? 'Basic realm="fedbatch", charset="UTF-8"' : 'Bearer realm="fedbatch"',
    allows: (authorization) =>
      isOpen ||
      matches(bearer(authorization), [...tokens, ...admins]) ||
      matches(basic(authorization), users),
    allowsAdmin: (authorization) => matches(bearer(authorization), admins),
  };
}

async function readToken(file: string): Promise<string> {
  const token = await readText(file, 'a file with a token');
  if (token !== '' && !/\s/.test(token)) return token;
  throw new DataError({
    file,
    expected: 'one token',
    found: token === '' ? 'an empty file' : 'several words',
  });
}

async function readUsers(file: string): Promise<readonly string[]> {
  const lines = (await readText(file, 'a file of user:password lines'))
    .split(/\r?\n/)
    .filter((line) => line !== '');
  if (lines.length > 0 && lines.every((line) => /^[^:]+:.+$/.test(line))) return lines;
  throw new DataError({ file, expected: 'user:password, one a line', found: 'something else' });
}

async function readText(file: string, what: string): Promise<string> {
  return Buffer.from(await readFileBytes(file, what))
    .toString('utf8')
    .trim();
}

function bearer(authorization = ''): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1];
}

function basic(authorization = ''): string | undefined {
  const encoded = /^Basic +([\w+/=-]+)$/i.exec(authorization)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

/** Compares hashes, which are of one length, and every secret: time tells nothing about any of them. */
function matches(given: string | undefined, secrets: readonly string[]): boolean {
  if (given === undefined) return false;
  const hash = digest(given);
  return secrets.map((secret) => timingSafeEqual(hash, digest(secret))).includes(true);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

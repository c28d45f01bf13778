/** The server's certificate and key, read and checked before anything else is begun. */
import { createSecureContext } from 'node:tls';
import { messageOf, UsageError } from '../lib/core/errors.js';
import { readFileBytes } from '../lib/formats/files/read-file.js';
import type { TlsFiles } from '../lib/http/listen.js';

/** Where the two files are; both, or none. */
export interface TlsFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** Reads them. @throws {UsageError} where one is given alone, cannot be read, or does not fit the other */
export async function readTls({ tlsCert, tlsKey }: TlsFlags): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new UsageError('--tls-cert and --tls-key go together: give both, or none.');
  const [cert, key] = await Promise.all([
    read('--tls-cert', tlsCert, 'a certificate in PEM'),
    read('--tls-key', tlsKey, 'a private key in PEM'),
  ]);
  try {
    createSecureContext({ cert: Buffer.from(cert), key: Buffer.from(key) });
  } catch (cause) {
    throw new UsageError(
      `--tls-cert ${tlsCert} and --tls-key ${tlsKey} are no certificate with its key in PEM: ${reasonOf(cause)}.`,
      { cause },
    );
  }
  return { cert, key };
}

async function read(flag: string, path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFileBytes(path, what);
  } catch (cause) {
    throw new UsageError(`${flag}: ${messageOf(cause)}`, { cause });
  }
}

/** OpenSSL's `error:0B080074:x509 certificate routines::key values mismatch` without its numbers. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  return message.split(':').at(-1)?.trim() ?? message;
}

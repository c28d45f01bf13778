/** The server's certificate and key, read and checked before anything else is begun. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { messageOf, UsageError } from '../lib/core/errors.js';
import { readFileBytes } from '../lib/formats/files/read-file.js';
import type { TlsFiles } from '../lib/http/listen.js';

/** Where the two files are; both, or none. */
export interface TlsFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/**
 * Reads them.
 *
 * @throws {UsageError} where one is given alone, cannot be read, does not fit the other, or is of no use to clients today
 */
export async function readTls({ tlsCert, tlsKey }: TlsFlags): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new UsageError('--tls-cert and --tls-key go together: give both, or none.');
  const [cert, key] = await Promise.all([
    read('--tls-cert', tlsCert, 'a certificate in PEM'),
    read('--tls-key', tlsKey, 'a private key in PEM'),
  ]);
  if (isEncrypted(key))
    throw new UsageError(
      `--tls-key ${tlsKey}: expected a private key without a passphrase, found one that needs it; openssl pkey -in ${tlsKey} -out key.pem writes it without.`,
    );
  try {
    createSecureContext({ cert: Buffer.from(cert), key: Buffer.from(key) });
  } catch (cause) {
    throw new UsageError(
      `--tls-cert ${tlsCert} and --tls-key ${tlsKey} are no certificate with its key in PEM: ${reasonOf(cause)}.`,
      { cause },
    );
  }
  requireValid(tlsCert, new X509Certificate(cert));
  return { cert, key };
}

async function read(flag: string, path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFileBytes(path, what);
  } catch (cause) {
    throw new UsageError(`${flag}: ${messageOf(cause)}`, { cause });
  }
}

/** As PKCS #8 says it (RFC 7468, 11), and as OpenSSL wrote it before (RFC 1421, 4.6.1.1). */
function isEncrypted(key: Uint8Array): boolean {
  return /^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(
    Buffer.from(key).toString('latin1'),
  );
}

/** No client would speak to a server whose certificate is out of date. */
function requireValid(path: string, { validFrom, validTo }: X509Certificate): void {
  const [from, to] = [new Date(validFrom), new Date(validTo)];
  const now = new Date();
  if (from <= now && now <= to) return;
  const found = now > to ? `one that expired at ${to.toISOString()}` : `one from ${from.toISOString()} on`;
  throw new UsageError(
    `--tls-cert ${path}: expected a certificate that is valid now, ${now.toISOString()}, found ${found}.`,
  );
}

/** OpenSSL's `error:0B080074:x509 certificate routines::key values mismatch` without its numbers. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  return message.split(':').at(-1)?.trim() ?? message;
}

/** MNIST (LeCun, Cortes and Burges) as the npz that Keras distributes: where it comes from and how it gets here. */
import { join } from 'node:path';
import { StageError } from '../lib/core/errors.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { download, type Patience } from './download.js';
import { DownloadError } from './download-error.js';
import type { DatasetContext, Provided } from './npz-cache.js';
import { partPath } from './part.js';

/** Address and sha256 of `mnist.npz`, as in Keras' `keras/src/datasets/mnist.py`. */
export const MNIST = {
  url: 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz',
  sha256: '731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1',
} as const;

/** What to download, and where to. */
interface MnistSource {
  readonly url: string;
  /** What the file must hash to, as 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly file: string;
  readonly patience?: Patience;
}

/** Where MNIST lies in a cache: a name simple enough to copy the file there by hand. */
export function mnistPath(directory: string): string {
  return join(directory, 'mnist.npz');
}

/** MNIST at `file`; downloads it unless it is there and its sha256 holds. @throws {StageError} when that fails. */
export async function provideMnist(
  source: MnistSource,
  { reporter, signal }: Pick<DatasetContext, 'reporter' | 'signal'>,
): Promise<Provided> {
  const { file, sha256 } = source;
  const there = await sha256OfFile(file, 'MNIST').catch(() => undefined);
  if (there === sha256) return { file, skipped: true };
  if (there !== undefined)
    reporter.warn(`${file} is not what was expected (its sha256 is ${there}): replacing it.`);
  try {
    await download({ ...source, reporter, signal });
  } catch (cause) {
    if (!(cause instanceof DownloadError)) throw cause;
    throw new StageError('download', `${cause.message} ${wayOut(source, cause)}`, { cause });
  }
  return { file, skipped: false };
}

/** What a user can do about it. */
function wayOut({ file }: MnistSource, { failure }: DownloadError): string {
  if (failure.kind === 'checksum')
    return 'If you trust it all the same, pass --sha256 with the one that was found.';
  if (failure.kind === 'pieces')
    return `They are not kept: try again (and remove ${partPath(file)}, if it is there).`;
  return (
    `Fetch the file where there is a network and copy it to ${file}, pass any npz with --data FILE, or use ` +
    `--data digits, which needs no network.${failure.kind === 'network' ? proxyHint(process.env) : ''}`
  );
}

/** Node's fetch takes no notice of proxy variables unless it is told to, and only from Node 24 on. */
function proxyHint(environment: NodeJS.ProcessEnv): string {
  const name = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((each) => environment[each]);
  if (name === undefined || environment.NODE_USE_ENV_PROXY === '1') return '';
  return ` (${name} is set, but Node's fetch heeds it only with NODE_USE_ENV_PROXY=1, from Node 24 on.)`;
}

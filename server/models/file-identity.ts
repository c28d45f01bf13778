/** What tells one file from another without reading it. */
import { type FileHandle, open } from 'node:fs/promises';

/** A file as it lies there. */
export interface FileIdentity {
  /** Another one where another file was put in its place, or something was written into it. */
  readonly identity: string;
  /** Whether it may have been written twice within what its time stamps can tell: then read it again. */
  readonly isYoung: boolean;
}

/** Older files have had time to get another time stamp. */
const TRUSTED_AGE_MS = 10_000;

/** Looks at a file. Opening it makes NFS ask its server. @throws as `open` does, e.g. ENOENT */
export async function identify(path: string): Promise<FileIdentity> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { ino, size, mtimeNs, ctimeNs, mtimeMs } = await file.stat({ bigint: true });
    return {
      identity: [ino, size, mtimeNs, ctimeNs].join(' '),
      isYoung: Math.abs(Date.now() - Number(mtimeMs)) < TRUSTED_AGE_MS,
    };
  } finally {
    await file?.close();
  }
}

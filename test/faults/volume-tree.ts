/** The files of a directory as the fault simulator compares them: their bytes, what they say beside times, which file they are. */
import { createHash } from 'node:crypto';
import { type BigIntStats, promises as fs } from 'node:fs';
import { join } from 'node:path';

/** A file. */
export interface FileState {
  readonly sha256: string;
  /** The same for files that differ in times alone. */
  readonly meaning: string;
  /** Changes whenever the file is written anew. */
  readonly identity: string;
  readonly inode: number;
  readonly bytes: Buffer;
}

/** By path below the directory. */
export type VolumeTree = ReadonlyMap<string, FileState>;

/** Facts of records that no two runs share, and the sum over these. */
const TIMES = /^(time|createdAt|checksum|seconds|\w+Seconds)$/;

/** What a path on a volume of the simulator begins with. */
const VOLUME = /^\/.*\/volume(?=\/)/;

/** All files of a directory, hidden ones too; none where it is not there. */
export async function readTree(directory: string): Promise<VolumeTree> {
  const tree = new Map<string, FileState>();
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const read = await Promise.all([fs.readFile(path), fs.stat(path, { bigint: true })]).catch(
      () => undefined,
    );
    // Processes that have not ended yet may rename it.
    if (read !== undefined) tree.set(path.slice(directory.length + 1), stateOf(path, ...read));
  }
  return tree;
}

function stateOf(path: string, bytes: Buffer, { ino, mtimeNs }: BigIntStats): FileState {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const inode = Number(ino);
  return {
    bytes,
    sha256,
    meaning: meaningOf(path, bytes) ?? sha256,
    identity: `${ino} ${mtimeNs}`,
    inode,
  };
}

function meaningOf(path: string, bytes: Buffer): string | undefined {
  if (path.endsWith('.json')) return jsonMeaning(bytes);
  // A page tells times, an event file of a run one session more.
  if (path.endsWith('.html')) return bytes.toString().trimEnd().endsWith('</html>') ? 'a page' : undefined;
  return path.endsWith('metrics.jsonl') ? 'events' : undefined;
}

/** Keys in order; the volume lies in another place for each point. */
function jsonMeaning(bytes: Buffer): string | undefined {
  const ordered = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replace(VOLUME, '');
    if (Array.isArray(value)) return value.map(ordered);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([key]) => !TIMES.test(key));
    return Object.fromEntries(
      entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, ordered(each)]),
    );
  };
  try {
    return JSON.stringify(ordered(JSON.parse(bytes.toString())));
  } catch {
    return undefined;
  }
}

/** Hidden files are of writers at work: readers pass over them. */
export const isHidden = (path: string): boolean => path.split('/').some((part) => part.startsWith('.'));

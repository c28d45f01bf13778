/** A directory of its own for a test, removed when the test ends. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Makes an empty directory that lives as long as test `t`. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

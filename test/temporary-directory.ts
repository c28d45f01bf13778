/** Directories of their own for tests, removed when these end. */
import { mkdtempSync, rmSync } from 'node:fs';
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

/** Makes an empty directory that lives as long as this test file's process: for what several tests share. */
export function sharedDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'fedbatch-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}

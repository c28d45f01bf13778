/** A Python with numpy, for tests that let numpy judge what we write. */
import { execa } from 'execa';

/** Where a Python with numpy may be: `FEDBATCH_PYTHON`, then the usual names. */
const CANDIDATES = [process.env.FEDBATCH_PYTHON ?? 'python3', 'python3', '/usr/bin/python3'];

/** Command of a Python that has numpy; undefined where there is none. */
export async function findNumpy(): Promise<string | undefined> {
  for (const python of new Set(CANDIDATES)) {
    const { failed } = await execa(python, ['-c', 'import numpy'], { reject: false });
    if (!failed) return python;
  }
  return undefined;
}

/** Runs a Python script with arguments and returns what it prints. @throws when it fails. */
export async function runPython(python: string, script: string, argv: readonly string[]): Promise<string> {
  const { stdout } = await execa(python, ['-c', script, ...argv]);
  return stdout;
}

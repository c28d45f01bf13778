/** The frameworks that we measure beside: found on this machine, never needed. */
import { sampleProcess } from './measure.js';

/** Why a section was not measured. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError';
}

/** A Python that can import PyTorch. */
export interface Torch {
  readonly command: string;
  readonly version: string;
}

/** The first Python with PyTorch: `FEDBATCH_TORCH_PYTHON`, else the system's. @throws {SkippedError} where there is none */
export async function findTorch(): Promise<Torch> {
  const candidates = [process.env.FEDBATCH_TORCH_PYTHON, '/usr/bin/python3', 'python3'];
  for (const command of candidates) {
    if (command === undefined) continue;
    const found = await sampleProcess(command, ['-c', 'import torch; print(torch.__version__)']).catch(
      () => undefined,
    );
    if (found) return { command, version: found.stdout.trim() };
  }
  throw new SkippedError(
    'no Python with PyTorch (Debian: apt-get install python3-torch, or set FEDBATCH_TORCH_PYTHON)',
  );
}

/** The job that the tests of this folder do on a cluster, and how it is told where it stands. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { lastLine, runProgramFile } from '../programs.js';
import { sharedDirectory } from '../temporary-directory.js';
import { objectsAt, type Place } from './cluster.js';

/** Trainings that last long enough to be disturbed. */
export const EPOCHS = '30';

/** Its settings. */
export const JOB: readonly string[] = [
  ...['--clients', '3', '--rounds', '2', '--epochs', EPOCHS, '--batch', '100', '--model', 'mlp'],
];

/** Selects trainers. */
export const TRAINERS = 'fedbatch.io/stage=train';

/** A pod, as far as tests read it. */
export interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly {
      readonly state: { readonly terminated?: { readonly message?: string } };
    }[];
  };
}

/** The pods that work now. */
export const working = async (place: Place, selector: string): Promise<readonly Pod[]> =>
  (await objectsAt<Pod>(place, 'pods', selector)).filter(({ status }) => status.phase === 'Running');

/** The model in a result. */
export const sha256Of = (line: string): string => (JSON.parse(line) as { sha256: string }).sha256;

/** The model of the same job on this machine; a trainer in the cluster has one processor. */
export async function jobHere(flags: readonly string[]): Promise<string> {
  const volume = join(sharedDirectory(), 'run');
  const { exitCode, stdout, stderr } = await runProgramFile('cli', [
    ...['run', '--volume', volume, '--threads', '1', '--json', ...flags],
  ]);
  assert.equal(exitCode, 0, stderr);
  return sha256Of(lastLine(stdout));
}

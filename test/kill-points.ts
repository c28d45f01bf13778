/** Runs a program that is killed before one of its operations on files. */
import { fileURLToPath } from 'node:url';
import type { KillPoint } from './programs/kill-at.js';

const KILLER = fileURLToPath(new URL('./programs/kill-at.js', import.meta.url));

/** The environment in which a program, or one that it starts, is killed there. */
export function killedAt(point: KillPoint): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=${KILLER}`, FEDBATCH_TEST_KILL: JSON.stringify(point) };
}

/** How a run's engine is passed on to the stages that use one. */
import type { RunSettings } from '../lib/formats/run-record.js';

/** The arguments that choose the run's engine. */
export function engineArguments({ name, backend }: RunSettings['engine']): readonly string[] {
  return ['--engine', name, ...(backend === undefined ? [] : ['--backend', backend])];
}

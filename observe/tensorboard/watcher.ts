/** Watches a run for TensorBoard: once a round is over, the event files on the volume tell of it. */
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { RunWatcher } from '../watcher.js';
import { createRunLogs } from './run-logs.js';

/** The watcher of the run on a volume. */
export function tensorboardWatcher(paths: VolumePaths): RunWatcher {
  const logs = createRunLogs(paths);
  let hasCaughtUp = false;
  return {
    name: 'TensorBoard',
    async event(event) {
      // What an earlier session, or another pod, has put on record and not into the logs comes first.
      if (!hasCaughtUp && ['start', 'round', 'end'].includes(event.event)) {
        await logs.catchUp();
        hasCaughtUp = true;
      }
      await logs.hear(event);
    },
  };
}

/** Follows a container's log to its end, whatever becomes of the connections: no line is told twice. */
import { pause, TimeLimitError } from '../../lib/system/abort.js';
import type { ClusterApi } from './cluster-api.js';

/** A log and who hears it. */
interface FollowedLog {
  readonly pod: string;
  readonly container: string;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds after which it is read on where it was refused or cut off. @throws what ends the following; all does by default */
  readonly waitAfter?: (error: unknown) => number;
  /** Milliseconds without a line after which its connection may be dead without a word. */
  readonly quietMs?: number;
}

const QUIET_MS = 60_000;

/** As the kubelet writes it in front of each line, to the nanosecond. */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) /;

/** Resolves when the container has ended or `signal` aborts. @throws what `waitAfter` throws */
export async function followLog(
  api: Pick<ClusterApi, 'followLog'>,
  {
    pod,
    container,
    onLine,
    signal,
    quietMs = QUIET_MS,
    waitAfter = (error) => {
      throw error;
    },
  }: FollowedLog,
): Promise<void> {
  /** The second of the last line, as far as a server can be asked, and how many lines of it were told. */
  let second: string | undefined;
  let told = 0;
  for (let isOver = false; !isOver && !signal.aborted; ) {
    let known = told;
    const tell = (line: string) => {
      const [stamp, date, zone] = TIME.exec(line) ?? [];
      // What the node itself says has no time, and is said again.
      if (stamp === undefined) return onLine(line);
      if (known-- > 0) return;
      told = `${date}${zone}` === second ? told + 1 : 1;
      second = `${date}${zone}`;
      onLine(line.slice(stamp.length));
    };
    try {
      await api.followLog(pod, container, { onLine: tell, since: second, quietMs, signal });
      isOver = true;
    } catch (error) {
      if (!(error instanceof TimeLimitError) && !signal.aborted)
        await pause(waitAfter(error), signal).catch(() => undefined);
    }
  }
}

/** Memory as tests judge it: after the garbage is gone, and by its trend. */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A reading that falls by less is the last one. */
const SETTLED_MB = 0.5;
const MOST_READINGS = 30;

/**
 * Memory of this process in MB. Native memory goes by finalizers and sweeping threads, some time after the garbage
 * collection that finds it unused, later the busier the machine is: so it is read until it falls no further.
 */
export async function memoryMb(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let least = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < MOST_READINGS; reading++) {
    collect();
    await delay(10);
    const found = process.memoryUsage().rss / 2 ** 20;
    if (found > least - SETTLED_MB && reading > 1) return Math.min(found, least);
    least = Math.min(found, least);
  }
  return least;
}

/** The slope of readings taken at equal distances: the median of those of all pairs, which no single reading moves. */
export function trend(readings: readonly number[]): number {
  const slopes = readings.flatMap((from, at) =>
    readings.slice(at + 1).map((to, steps) => (to - from) / (steps + 1)),
  );
  slopes.sort((a, b) => a - b);
  return ((slopes[(slopes.length - 1) >> 1] ?? 0) + (slopes[slopes.length >> 1] ?? 0)) / 2;
}

/**
 * Load at an even pace, as wrk2 makes it: requests are sent when they are due, whatever the server does, and each answer's
 * time counts from then. autocannon's own rate sends a second's requests at once and then waits for the next second.
 * As there, the first seconds are sent but not counted: connections open, and this process itself is being compiled.
 */
import { Agent, request } from 'node:http';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** What is sent, how long, and how fast. */
interface PacedLoad {
  readonly url: string;
  readonly method: string;
  readonly body?: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second. */
  readonly rate: number;
  /** Sent before, and not counted. */
  readonly warmUpSeconds?: number;
}

/** What came of it, under the names that autocannon has for it. */
interface LoadResult {
  readonly requests: { readonly total: number; readonly average: number };
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly non2xx: number;
  readonly errors: number;
}

/** Sends the load; resolves once the last answer is there. */
export async function pacedLoad({
  rate,
  seconds,
  warmUpSeconds = 0,
  ...load
}: PacedLoad): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const uncounted = Math.round(rate * warmUpSeconds);
  const total = uncounted + Math.round(rate * seconds);
  const microseconds = createHistogram();
  const answers: Promise<void>[] = [];
  let [non2xx, errors] = [0, 0];
  const startedAt = performance.now();
  const dueAt = (index: number) => startedAt + (index * 1000) / rate;
  const send = async (index: number) => {
    try {
      const status = await ask(agent, load);
      const ms = performance.now() - dueAt(index);
      if (index >= uncounted) microseconds.record(Math.max(1, Math.round(ms * 1000)));
      if (status < 200 || status > 299) non2xx++;
    } catch {
      errors++;
    }
  };
  for (let next = 0; next < total; ) {
    for (; next < total && dueAt(next) <= performance.now(); next++) answers.push(send(next));
    await delay(1);
  }
  await Promise.all(answers);
  const tookSeconds = (performance.now() - dueAt(uncounted)) / 1000;
  agent.destroy();
  const inMs = (percentile: number) => Number((microseconds.percentile(percentile) / 1000).toFixed(1));
  return {
    requests: { total: microseconds.count, average: microseconds.count / tookSeconds },
    latency: { p50: inMs(50), p99: inMs(99), max: inMs(100) },
    ...{ non2xx, errors },
  };
}

type Asked = Pick<PacedLoad, 'url' | 'method' | 'body' | 'headers'>;

function ask(agent: Agent, { url, method, body, headers }: Asked) {
  return new Promise<number>((resolve, reject) => {
    const sent = request(url, { agent, method, headers }, (response) => {
      response.once('end', () => resolve(response.statusCode ?? 0)).once('error', reject);
      response.resume();
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** What an API server gives of a container's log, which may still grow. */
import { open } from 'node:fs/promises';

/** Between two looks at the log of a running container. */
const FOLLOW_MS = 50;

/** When each line of a log was first seen, as the kubelet writes it. */
const seenAt = new Map<string, string[]>();

/** The lines that a query asks for: all or the last ones, with their times or without, and what comes. */
export async function* linesOf(
  log: { readonly path: string; hasEnded(): boolean },
  query: URLSearchParams,
): AsyncGenerator<string> {
  const follows = query.get('follow') === 'true';
  const tail = Number(query.get('tailLines') ?? Number.POSITIVE_INFINITY);
  const since = Date.parse(query.get('sinceTime') ?? '1970-01-01T00:00:00Z');
  const times = seenAt.get(log.path) ?? [];
  seenAt.set(log.path, times);
  const file = await open(log.path);
  try {
    let position = 0;
    let count = 0;
    for (let isFirst = true; ; isFirst = false) {
      const isLast = !follows || log.hasEnded();
      const { size } = await file.stat();
      const { buffer } = await file.read({ buffer: Buffer.alloc(size - position), position });
      // A line is one once it is whole.
      const end = isLast ? buffer.length : buffer.lastIndexOf('\n') + 1;
      position += end;
      const lines = buffer.subarray(0, end).toString('utf8').split('\n');
      if (lines.at(-1) === '') lines.pop();
      const first = count;
      count += lines.length;
      const wanted = lines.flatMap((line, at) => {
        const time = times[first + at] ?? new Date().toISOString().replace('Z', '000000Z');
        times[first + at] = time;
        const isWanted = Date.parse(time) >= since && !(isFirst && at < lines.length - tail);
        return isWanted ? [query.get('timestamps') === 'true' ? `${time} ${line}\n` : `${line}\n`] : [];
      });
      if (wanted.length > 0) yield wanted.join('');
      if (isLast) return;
      await new Promise((next) => setTimeout(next, FOLLOW_MS));
    }
  } finally {
    await file.close();
  }
}

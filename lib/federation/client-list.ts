/** Lists of clients as texts: numbers, and ranges of them, with commas between: `3,7,12` or `0-99`. */

/** Longer lists are slips of the finger, which must not fill the memory. */
const MOST_CLIENTS = 1_000_000;

/** The clients of a list, in its order, none for an empty one; undefined where it is no list. */
export function readClientList(text: string): readonly number[] | undefined {
  const clients: number[] = [];
  for (const part of text === '' ? [] : text.split(',')) {
    const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (!(first <= last && clients.length + last - first < MOST_CLIENTS)) return undefined;
    for (let client = first; client <= last; client++) clients.push(client);
  }
  return clients;
}

/** The list of some clients, with ranges where they follow each other: thousands of pods carry it. */
export function writeClientList(clients: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < clients.length; ) {
    const first = clients[at] as number;
    let count = 1;
    while (clients[at + count] === first + count) count++;
    parts.push(count < 3 ? clients.slice(at, at + count).join() : `${first}-${first + count - 1}`);
    at += count;
  }
  return parts.join();
}

/** Reads files in order while the next ones are already on their way. */

/** What came of one read: exactly one of `value` and `error`. */
type ReadResult<T> = { readonly value: T } | { readonly error: unknown };

/** Yields each item with what `read` made of it, in order; at most `ahead` results wait in memory. */
export async function* readAhead<I, T>(
  items: readonly I[],
  ahead: number,
  read: (item: I) => Promise<T>,
): AsyncGenerator<readonly [item: I, result: ReadResult<T>]> {
  const start = (item: I): Promise<ReadResult<T>> =>
    read(item).then(
      (value) => ({ value }),
      // Kept until its turn: a rejected promise that nobody waits for yet would end the process.
      (error: unknown) => ({ error }),
    );
  const running: Promise<ReadResult<T>>[] = items.slice(0, ahead).map(start);
  for (const [index, item] of items.entries()) {
    const result = await (running.shift() as Promise<ReadResult<T>>);
    const next = items[index + ahead];
    if (next !== undefined) running.push(start(next));
    yield [item, result];
  }
}

/** Look-ups in tables by names that others choose: in files, requests and flags. */

/** What `table` itself has under `name`: of `constructor` or `__proto__`, which every object has, nothing. */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

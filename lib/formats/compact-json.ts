/** JSON for people: a value to a line, but lists of numbers on one. */

/** The text of `value`, without a line feed at its end. */
export function compactJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return text.replace(/\[\n[\d,\s]+\]/g, (list) => list.replace(/\s+/g, '').replaceAll(',', ', '));
}

/** The version of this package, read from its package.json. */
import { readFileSync } from 'node:fs';

/** The version as in package.json, e.g. `0.1.0`. */
export function packageVersion(): string {
  // Seen from dist/lib/cli/.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

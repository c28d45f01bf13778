/** The loader, a process of its own: `load.js '{"url": …, "file": …}'` sends the file again and again and prints what came of it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMain } from '../lib/cli/program.js';
import { pacedLoad } from './paced-load.js';

/** What is sent, how long, and how fast. */
export interface LoadOptions {
  readonly url: string;
  /** The body of every request: bytes, which autocannon's own command line would read as text. Without one they are GETs. */
  readonly file?: string;
  readonly type?: string | undefined;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second, evenly; as many as the server answers where nothing stands here. */
  readonly rate?: number | undefined;
}

/** At an even rate, before answers are counted. */
const WARM_UP_SECONDS = 3;

/** The little of autocannon that is used; it brings no types. */
type Autocannon = (options: Readonly<Record<string, unknown>>) => Promise<object>;

if (isMain(import.meta.url)) {
  const { url, file, type, connections, seconds, rate } = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
  const asked =
    file === undefined
      ? { method: 'GET', headers: { Accept: 'application/json' } }
      : {
          method: 'POST',
          headers: { Accept: 'application/json', ...(type === undefined ? {} : { 'Content-Type': type }) },
          body: readFileSync(file),
        };
  const result =
    rate === undefined
      ? await asFastAsPossible({ url, connections, duration: seconds, ...asked })
      : await pacedLoad({ url, ...asked, connections, seconds, rate, warmUpSeconds: WARM_UP_SECONDS });
  process.stdout.write(JSON.stringify(result));
}

function asFastAsPossible(options: Readonly<Record<string, unknown>>): Promise<object> {
  const autocannon = createRequire(import.meta.url)('autocannon') as Autocannon;
  return autocannon(options);
}

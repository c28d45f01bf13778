/** The command behind a module of JavaScript: calls its default export with what is the client's, and writes what that gives. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const { FEDBATCH_RANK, FEDBATCH_SIZE, FEDBATCH_SHARD, FEDBATCH_SCRATCH, FEDBATCH_RESULT = '' } = process.env;
const [, , file = ''] = process.argv;
const { default: work }: { readonly default?: unknown } = await import(pathToFileURL(resolve(file)).href);
if (typeof work !== 'function') throw new Error(`${file} has no function as its default export`);
const result: unknown = await work({
  ...{ rank: Number(FEDBATCH_RANK), size: Number(FEDBATCH_SIZE) },
  ...{ shard: FEDBATCH_SHARD, scratch: FEDBATCH_SCRATCH },
});
await writeFile(FEDBATCH_RESULT, JSON.stringify(result ?? null));

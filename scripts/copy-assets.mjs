/** Copies what the compiler does not: the server's static files, to where the compiled server looks for them. */
import { cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

await rm(at('dist/server/public'), { recursive: true, force: true });
await cp(at('server/public'), at('dist/server/public'), { recursive: true });

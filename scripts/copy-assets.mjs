/** Does what the compiler does not: copies the static files of servers, its .proto files and the exporter's script beside it, and makes the program executable. */
import { chmod, cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

for (const folder of ['server/public', 'watch/public']) {
  await rm(at(`dist/${folder}`), { recursive: true, force: true });
  await cp(at(folder), at(`dist/${folder}`), { recursive: true });
}
await cp(at('server/grpc/proto'), at('dist/server/grpc/proto'), { recursive: true });
await cp(at('export/export_savedmodel.py'), at('dist/export/export_savedmodel.py'));
// npx starts the checkout's own dist/cli.js through a link; npm sets this only when it makes the link.
await chmod(at('dist/cli.js'), 0o755);

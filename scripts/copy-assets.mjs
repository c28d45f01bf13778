/** Does what the compiler does not: copies the server's static files, its .proto files and the exporter's script beside it, and makes the program executable. */
import { chmod, cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

await rm(at('dist/server/public'), { recursive: true, force: true });
await cp(at('server/public'), at('dist/server/public'), { recursive: true });
await cp(at('server/grpc/proto'), at('dist/server/grpc/proto'), { recursive: true });
await cp(at('export/export_savedmodel.py'), at('dist/export/export_savedmodel.py'));
// npx starts the checkout's own dist/cli.js through a link; npm sets this only when it makes the link.
await chmod(at('dist/cli.js'), 0o755);

/**
 * Copies what fedbatch runs of ONNX Runtime into dist/vendor/, so that a published package brings it along. As its
 * makers publish it, onnxruntime-node holds the libraries of five platforms (290 MB) and an install script that
 * downloads 300 MB more and fails where it cannot; onnxruntime-web holds 140 MB for browsers.
 *
 *   node scripts/vendor.mjs [platform…]     linux-x64 unless told otherwise; npm pack calls it
 *   node scripts/vendor.mjs --remove        npm pack calls it afterwards: a checkout uses the packages themselves
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const vendor = join(root, 'dist', 'vendor');
const given = process.argv.slice(2);

/** What of a package runs on Node, and for which platform the copy is. */
const native = (platform) => ({
  name: 'onnxruntime-node',
  platform,
  parts: ['README.md', 'dist', `bin/napi-v6/${platform.replace('-', '/')}`],
});
const web = {
  name: 'onnxruntime-web',
  platform: 'any',
  parts: [
    'README.md',
    'dist/ort.node.min.js',
    'dist/ort-wasm-simd-threaded.mjs',
    'dist/ort-wasm-simd-threaded.wasm',
  ],
};

await rm(vendor, { recursive: true, force: true });
if (given[0] !== '--remove') {
  const platforms = given.length === 0 ? ['linux-x64'] : given;
  for (const each of [...platforms.map(native), web]) await carry(each);
}

async function carry({ name, platform, parts }) {
  const source = join(root, 'node_modules', name);
  const target = join(vendor, platform, name);
  for (const part of parts) {
    await mkdir(dirname(join(target, part)), { recursive: true });
    await cp(join(source, part), join(target, part), {
      recursive: true,
      // Declarations are of no use here: fedbatch is compiled.
      filter: (path) => !/\.(d\.ts|map)$/.test(path),
    });
  }
  const { version, license, author, repository, description, main } = JSON.parse(
    await readFile(join(source, 'package.json'), 'utf8'),
  );
  if (license !== 'MIT') throw new Error(`${name} ${version} is licensed ${license}: read it, then carry it`);
  await writeFile(
    join(target, 'package.json'),
    `${JSON.stringify({ name, version, description, license, author, repository, main }, null, 2)}\n`,
  );
  // The package has no licence file: its sources name the holder, and the licence is the one that fedbatch has too.
  const text = await readFile(join(root, 'LICENSE'), 'utf8');
  await writeFile(
    join(target, 'LICENSE'),
    text.replace(/^Copyright .*$/m, 'Copyright (c) Microsoft Corporation'),
  );
}

/** The packed package as another project installs it: no variable, no other download, no failing script, and it works. */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { execa } from 'execa';
import { lastLine } from './programs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

/** What a project may weigh that depends on fedbatch alone (2^20 bytes would be 5 % more). */
const MOST_BYTES = 250e6;

/** Left out of the copy that is packed: what git ignores. */
const LEFT_OUT = new Set(['node_modules', '.git', 'runs', '.cache', 'test-artifacts']);

/** The environment of somebody who has set nothing: npm adds its own to that of the tests that it runs. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_(registry|cafile))|^ONNXRUNTIME|^INIT_CWD$/i.test(name),
  ),
);

let directory: string;
let tarball: string;

before(async () => {
  directory = sharedDirectory();
  const copy = join(directory, 'checkout');
  await mkdir(copy);
  for (const name of await readdir(projectRoot)) {
    if (LEFT_OUT.has(name) || name.endsWith('.tgz')) continue;
    await cp(join(projectRoot, name), join(copy, name), { recursive: true, preserveTimestamps: true });
  }
  await symlink(join(projectRoot, 'node_modules'), join(copy, 'node_modules'));
  const { stdout } = await execa('npm', ['pack', '--silent'], { cwd: copy, env, extendEnv: false });
  tarball = join(copy, lastLine(stdout));
  assert.ok(!(await readdir(join(copy, 'dist'))).includes('vendor'), 'packing leaves the checkout as it was');
});

/** Runs a command in a project, as somebody who has set nothing. */
const runIn = (project: string, command: string, ...args: readonly string[]) =>
  execa(command, args, { cwd: project, env, extendEnv: false });

/** Makes an empty project and installs the package there with a version of npm. */
async function install(npm: string): Promise<string> {
  const project = join(directory, npm);
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "private": true }\n');
  const flags = ['--no-audit', '--no-fund'];
  const { stdout, stderr } = await runIn(project, 'npx', '--yes', npm, 'install', ...flags, tarball);
  assert.doesNotMatch(stdout + stderr, /npm (error|ERR!)|onnxruntime/);
  const version = await runIn(project, 'npx', '--no', '--', 'fedbatch', '--version');
  const own = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  assert.equal(version.stdout, own.version);
  return project;
}

describe('the package', () => {
  it('installs with npm 10', async () => {
    await install('npm@10');
  });

  describe('installed with npm 11', () => {
    let project: string;
    const run = (command: string, ...args: readonly string[]) => runIn(project, command, ...args);
    const fedbatch = (...args: readonly string[]) => run('npx', '--no', '--', 'fedbatch', ...args);
    before(async () => {
      project = await install('npm@11');
    });

    it('weighs less than 250 MB with all that it depends on', async () => {
      const bytes = await sizeOnDisk(join(project, 'node_modules'));
      assert.ok(bytes < MOST_BYTES, `${Math.round(bytes / 1e6)} MB`);
      // An empty folder would weigh less still.
      assert.ok(bytes > 150e6, `${Math.round(bytes / 1e6)} MB`);
    });

    it('does a job on the native engine and on WebAssembly', async () => {
      await fedbatch('split', '--data', 'digits', '--clients', '2', '--out', 'data');
      await fedbatch('init', '--data', 'data/0.npz', '--model', 'mlp', '--out', 'global.h5');
      for (const [client, choice] of [
        ['0', []],
        ['1', ['--engine', 'onnx', '--backend', 'wasm']],
      ] as const) {
        const { stdout } = await fedbatch(
          ...[
            'train',
            '--data',
            `data/${client}.npz`,
            '--init',
            'global.h5',
            '--client',
            client,
            '--epochs',
            '1',
          ],
          ...['--out', `updates/${client}.h5`, ...choice],
        );
        assert.equal(JSON.parse(lastLine(stdout)).engine, ['onnx/cpu', 'onnx/wasm'][Number(client)]);
      }
      await fedbatch('aggregate', '--dir', 'updates', '--parent', 'global.h5', '--out', 'model.h5');
      const { stdout } = await fedbatch('evaluate', '--model', 'model.h5', '--data', 'data/test.npz');
      assert.match(stdout, /acc: 0\.\d{4}/);
    });

    it('serves its page and reads a picture that it carries', async () => {
      const server = execa(process.execPath, [cli(project), 'serve', '--model', 'model.h5', '--port', '0'], {
        cwd: project,
        env,
        extendEnv: false,
        reject: false,
      });
      try {
        const address = await addressOf(server.stdout);
        const page = await fetch(address);
        assert.match(await page.text(), /<title>/);
        const body = new FormData();
        const picture = await readFile(join(project, 'node_modules/fedbatch/samples/digit-7-a.png'));
        body.set('file', new Blob([picture]), 'seven.png');
        const answer = await fetch(new URL('upload', address), {
          method: 'POST',
          body,
          headers: { accept: 'application/json' },
        });
        assert.equal(((await answer.json()) as { probabilities: unknown[] }).probabilities.length, 10);
      } finally {
        server.kill('SIGTERM');
        await server;
      }
    });

    it('says what works and what to type for what does not', async () => {
      const { stdout } = await fedbatch('doctor', '--quick', '--json');
      const { backends } = JSON.parse(stdout) as {
        backends: { engine: string; backend: string; works: boolean; install: string | null }[];
      };
      const onnx = Object.fromEntries(
        backends.filter(({ engine }) => engine === 'onnx').map((each) => [each.backend, each]),
      );
      assert.ok(onnx.cpu?.works && onnx.wasm?.works, stdout);
      assert.match(
        onnx.cuda?.install ?? '',
        /^ONNXRUNTIME_NODE_INSTALL=cuda12 npm install onnxruntime-node@1\.\d+\.\d+$/,
      );
    });

    it('on another platform, says which package holds its library, and goes on with WebAssembly', async () => {
      const elsewhere = 'data:text/javascript,Object.defineProperty(process,"arch",{value:"riscv64"})';
      const { stdout } = await run(
        process.execPath,
        '--import',
        elsewhere,
        cli(project),
        'doctor',
        '--quick',
        '--json',
      );
      const { backends, chosen } = JSON.parse(stdout);
      const native = backends.find(
        (each: { engine: string; backend: string }) => each.engine === 'onnx' && each.backend === 'cpu',
      );
      assert.match(native.install, /^npm install onnxruntime-node@1\.\d+\.\d+$/);
      assert.equal(chosen.engine, 'onnx/wasm');
    });

    it("does what the README's example of the library says, and its types hold", async () => {
      const readme = await readFile(join(project, 'node_modules', 'fedbatch', 'README.md'), 'utf8');
      const [, example = ''] = /^## As a library\n+```ts\n([\s\S]*?)^```$/m.exec(readme) ?? [];
      assert.match(example, /from 'fedbatch'/);
      await writeFile(join(project, 'example.mts'), example);
      // The example says no types of its own, so that it is JavaScript too.
      await writeFile(join(project, 'example.mjs'), example);
      const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
      const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022'];
      const modules = ['--module', 'nodenext', '--types', 'node', '--skipLibCheck', 'false'];
      await run(process.execPath, tsc, ...strict, ...modules, 'example.mts');
      const { stdout, stderr } = await run(process.execPath, 'example.mjs');
      assert.match(stdout, /^round 1: accuracy 0\.\d+\nround 2: accuracy 0\.\d+\n0\.\d+ with 4 arrays in /);
      assert.equal(stderr, '');
    });

    it('lets nobody import what is inside', async () => {
      for (const inside of [
        'fedbatch/dist/cli.js',
        'fedbatch/lib/core/errors.js',
        'fedbatch/library/call.js',
      ]) {
        await assert.rejects(
          run(process.execPath, '--input-type=module', '--eval', `import '${inside}'`),
          /ERR_PACKAGE_PATH_NOT_EXPORTED/,
        );
      }
      const schema = "import schema from 'fedbatch/schemas/run.schema.json' with { type: 'json' };";
      const { stdout } = await run(
        process.execPath,
        ...['--input-type=module', '--eval', `${schema} console.log(schema.title)`],
      );
      assert.equal(stdout, 'Run');
    });

    it('holds no tests, no benchmarks, and nothing that only they or its documents use', async () => {
      const root = join(project, 'node_modules', 'fedbatch');
      const files = (await readdir(root, { recursive: true })).filter((path) => !path.includes('vendor'));
      assert.ok(files.includes('dist/library/index.d.ts'), 'files are found');
      assert.deepEqual(
        files.filter((path) =>
          /\.test\.|^dist\/(test|bench|reference)(\/|$)|\/(testing|conformance|fixtures)(\/|$)|\.tsbuildinfo$/.test(
            path,
          ),
        ),
        [],
      );
      assert.deepEqual(
        files.filter((path) => /(?<!\.d)\.ts$/.test(path)),
        [],
      );
    });

    it('brings its documents along, and each link in them leads somewhere', async () => {
      const root = join(project, 'node_modules', 'fedbatch');
      const documents = (await readdir(root, { recursive: true })).filter(
        (path) => path.endsWith('.md') && !path.includes('vendor'),
      );
      assert.ok(documents.includes('docs/SERVING.md'), documents.join());
      for (const document of documents) {
        const text = await readFile(join(root, document), 'utf8');
        for (const [, target = ''] of text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
          if (/^[a-z]+:/.test(target)) continue;
          const path = join(root, dirname(document), target);
          await stat(path).catch(() => assert.fail(`${document} links ${relative(root, path)}`));
        }
      }
    });
  });
});

const cli = (project: string) => join(project, 'node_modules', 'fedbatch', 'dist', 'cli.js');

/** Where a server that starts says that it listens. */
async function addressOf(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(stdout)) {
    const url = /^Listening on (http:\S+)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('The server did not come up.');
}

/** The blocks that the files below a folder take. */
async function sizeOnDisk(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOnDisk(path);
    else if (entry.isFile()) bytes += 512 * (await stat(path)).blocks;
  }
  return bytes;
}

/**
 * Writes the JavaScript of dist/, beside the compiler's declarations. Modules that are loaded together share one file
 * of dist/merged, so that a program starts with a dozen files instead of hundreds. Each also has its own file, which
 * exports the same from the shared one: programs, tests and the library use one instance of it, and what is tested is
 * what is published.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A module as it is named here: its path from the root, without extension. */
const nameOf = (file) => relative(root, file).replace(/\.[jt]s$/, '');

const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
const sources = new Map(
  include
    // An image is built without the benchmarks.
    .filter((path) => existsSync(join(root, path)))
    .flatMap((path) =>
      path.endsWith('.ts')
        ? [path]
        : readdirSync(join(root, path), { recursive: true }).map((file) => join(path, file)),
    )
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
    .map((path) => [path.replace(/\.ts$/, ''), readFileSync(join(root, path), 'utf8')]),
);

/** Started by path, so they stay in files of their own. */
const programs = [...sources.keys()].filter((name) => /(^|[/-])cli$|worker$|\/trial-program$/.test(name));

/**
 * Packages of many small files that every stage loads: what is used of each is one file of dist/merged, below its licence.
 * They stay dependencies, for their types, and so that whoever looks for their versions finds them.
 */
const packages = ['zod', 'pure-rand'];
const packageOf = (source) => packages.find((name) => source === name || source.startsWith(`${name}/`));
const licences = Object.fromEntries(
  packages.map((name) => [name, readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')]),
);

/** A module, its static imports (those of types are none), and what these load: modules and packages. */
function loadedBy(name, found = new Set()) {
  found.add(name);
  const imports =
    sources.get(name)?.matchAll(/^(?:import|export) (?!type\b)[^;']*?from '([^']+?)(?:\.js)?';$/gm) ?? [];
  for (const [, target] of imports) {
    const next = target.startsWith('.') ? join(name, '..', target) : target;
    if (!found.has(next)) loadedBy(next, found);
  }
  return found;
}

/** All that may be loaded for showing a help: no file format, no mathematics, and of Node no streams, threads or compression. */
const LIGHT = /^(commander|pure-rand\/.*|node:(crypto|fs|path|os|url|util|events|timers\/promises))$/;
const isLight = (name) => [...loadedBy(name)].every((each) => sources.has(each) || LIGHT.test(each));

/** Starts the work of one program: merged with what all load, it would bring that program into the images of others. */
const startsWork = (name) =>
  [...sources.get(name).matchAll(/\bimport\('(\.[^']*)\.js'\)/g)].some(
    ([, target]) => !isLight(join(name, '..', target)),
  );

/** What loads many modules at once, by a name for their file. */
const LOADERS = {
  help: [
    'cli',
    'splitter/cli',
    'trainer/cli',
    'evaluator/cli',
    'server/cli',
    'lib/observability/human-reporter',
  ],
  rounds: ['aggregator/cli', 'pipeline/cli'],
  split: ['splitter/split'],
  aggregate: ['aggregator/aggregate'],
  train: ['trainer/train', 'evaluator/evaluate'],
  work: ['trainer/train-worker', 'lib/engine/onnx/onnx-engine'],
  sources: ['lib/formats/sources/registry'],
  simulate: ['simulator/worker'],
};

/** Those of them that show a help first. */
const HELPS = ['help', 'rounds'];

/** Modules without zod share no file with those that load it, which takes milliseconds. */
const family = (name) => (loadedBy(name).has('zod') ? 'zod' : 'plain');

/**
 * By module, the name of its merged file. Modules share one if the same loaders load them, so none is loaded in vain,
 * and no two files import each other. What helps need is one file for all, whatever loads it later.
 */
const mergedInto = new Map();
for (const [loader, starts] of Object.entries(LOADERS)) {
  for (const name of new Set(starts.flatMap((start) => [...loadedBy(start)]))) {
    const known = mergedInto.get(name);
    if (!sources.has(name) || programs.includes(name) || HELPS.includes(known)) continue;
    if (!HELPS.includes(loader))
      mergedInto.set(name, known === undefined ? `${family(name)}-${loader}` : `${known}-${loader}`);
    else if (isLight(name) && !startsWork(name)) mergedInto.set(name, loader);
  }
}

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries([...sources.keys()].map((name) => [name, join(root, `${name}.ts`)])),
  platform: 'neutral',
  // Of zod, the messages in fifty languages stay out.
  treeshake: { moduleSideEffects: (id) => !id.includes('/node_modules/') },
  tsconfig: false,
  preserveEntrySignatures: 'allow-extension',
  plugins: [
    {
      name: 'merged-modules',
      resolveId(source, importer, { kind }) {
        if (importer === undefined) return null;
        if (packageOf(source) !== undefined || importer.includes('/node_modules/')) return null;
        if (!source.startsWith('.')) return { id: source, external: true };
        const name = nameOf(resolve(importer, '..', source));
        return kind === 'import-statement' && mergedInto.has(name)
          ? { id: join(root, `${name}.ts`) }
          : { id: join(root, `${name}.js`), external: 'relative' };
      },
      /** A merged module finds files where it found them from its own place. */
      transform(code, id) {
        const name = nameOf(id);
        if (!mergedInto.has(name) || !code.includes('import.meta.')) return null;
        const moved = code
          .replaceAll(
            /new URL\('([^']*)', import\.meta\.url\)/g,
            (_, file) => `new URL('${join('..', name, '..', file)}', import.meta.url )`,
          )
          .replaceAll(/import\.meta\.url(?! \))/g, `new URL('../${name}.js', import.meta.url).href`);
        // No line moves, so the source map stays as it is.
        return { code: moved, map: null };
      },
    },
  ],
});
await rm(join(root, 'dist', 'merged'), { recursive: true, force: true });
await bundle.write({
  dir: join(root, 'dist'),
  sourcemap: true,
  banner: ({ name }) => (name in licences ? `/*!\n${name}\n\n${licences[name]}*/` : ''),
  entryFileNames: '[name].js',
  chunkFileNames: 'merged/[name].js',
  minifyInternalExports: false,
  codeSplitting: {
    includeDependenciesRecursively: false,
    groups: [
      ...packages.map((name) => ({ name, test: (id) => id.includes(`/node_modules/${name}/`) })),
      ...[...new Set(mergedInto.values())].map((name) => ({
        name,
        test: (id) => mergedInto.get(nameOf(id)) === name,
      })),
    ],
  },
});
await bundle.close();

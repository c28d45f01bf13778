/** Who may import whom: the layers of the house, read from the import statements of every source. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importsOf, projectRoot, readSources, type Source } from './sources.js';

const LIBRARY = [
  'lib/cli',
  'lib/core',
  'lib/engine',
  'lib/federation',
  'lib/formats',
  'lib/html',
  'lib/http',
  'lib/model',
  'lib/observability',
  'lib/prometheus',
  'lib/settings',
  'lib/system',
  'lib/task-file',
];
/** What users may ask for: names and defaults alone, which load nothing. */
const NAMES = [
  'lib/model/model-zoo.ts',
  'lib/model/model-description.ts',
  'lib/model/resnet.ts',
  'lib/model/side-by-side.ts',
  'lib/model/optimizers/optimizer-names.ts',
];
const WITHOUT_ENGINE = [
  ...LIBRARY.filter((folder) => folder !== 'lib/engine' && folder !== 'lib/model'),
  ...NAMES,
];

/** Each folder, and the other folders, or single files of them, that it may import. Folders that are not named here may import anything. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Below everything.
  'lib/core': [],
  // Knows no files, no flags and no engine.
  'lib/federation': ['lib/core'],
  // Knows no HTTP.
  'lib/digits': ['lib/core'],
  'lib/formats': ['lib/core', 'lib/federation', 'lib/settings', 'lib/system'],
  'lib/observability': ['lib/core', 'lib/federation'],
  // Names of engines and models, but nothing that runs them.
  'lib/settings': ['lib/core', 'lib/federation', ...NAMES],
  'lib/system': ['lib/core'],
  // What a user's own module says, for whoever reads examples or makes a model.
  'lib/task-file': ['lib/core', 'lib/federation', 'lib/formats', 'lib/settings', ...NAMES],
  'lib/html': [],
  // Listens and answers, whatever the answers are.
  'lib/http': ['lib/core', 'lib/formats', 'lib/observability'],
  // Metrics of programs, and how Prometheus gets them.
  'lib/prometheus': ['lib/core', 'lib/http', 'lib/observability', 'lib/settings'],
  'lib/cli': ['lib/core', 'lib/federation', 'lib/formats', 'lib/observability', 'lib/settings', 'lib/system'],
  // What runs a model lies above it.
  'lib/model': ['lib/core', 'lib/federation'],
  'lib/engine': [
    'lib/core',
    'lib/federation',
    'lib/formats',
    'lib/model',
    'lib/observability',
    'lib/settings',
    'lib/system',
  ],
  // They start in milliseconds: no engine.
  splitter: [...WITHOUT_ENGINE, 'datasets'],
  aggregator: WITHOUT_ENGINE,
  datasets: WITHOUT_ENGINE,
  samples: [...WITHOUT_ENGINE, 'datasets'],
  trainer: LIBRARY,
  simulator: LIBRARY,
  evaluator: LIBRARY,
  server: [...LIBRARY, 'lib/digits', 'samples', 'watch'],
  // Runs what is not ours.
  each: ['lib/cli', 'lib/core', 'lib/formats', 'lib/observability', 'lib/system'],
  doctor: LIBRARY,
  report: WITHOUT_ENGINE,
  // Shows runs as they go, with the sections of the report.
  watch: [...WITHOUT_ENGINE, 'report'],
  // Hears what the records get.
  observe: WITHOUT_ENGINE,
  stats: [...WITHOUT_ENGINE, 'datasets'],
  // A model, and what the records of its run say of it.
  export: [...LIBRARY, 'report'],
  // What all targets run; whoever runs it knows more than the commands do.
  'pipeline/commands': ['lib/core', 'lib/federation', 'lib/formats', 'lib/settings'],
  // What is above all targets: the round loop, what it asks of a runner, what a runner asks of a target.
  'pipeline/rounds': [...WITHOUT_ENGINE, 'pipeline/commands'],
  // They start services as programs.
  pipeline: [...WITHOUT_ENGINE, 'pipeline/commands', 'pipeline/rounds', 'sweep', 'observe'],
  // The templates as objects: they know nothing of runs.
  'k8s/manifests': [...WITHOUT_ENGINE, 'pipeline/commands'],
  // Targets that others run: the commands, in the pods of the templates.
  workflows: [...WITHOUT_ENGINE, 'pipeline/commands', 'k8s/manifests'],
  // The border to callers: it may call every program's code, and knows no command line but the version in it.
  library: [
    ...LIBRARY,
    'aggregator',
    'datasets',
    'each',
    'evaluator',
    'export',
    'pipeline',
    'pipeline/rounds',
    'report',
    'server',
    'splitter',
    'trainer',
  ],
  // Many runs, wherever they run: what they come to, and the look of a report.
  sweep: [...WITHOUT_ENGINE, 'pipeline/rounds', 'report'],
  // Of the pipeline what targets share, and nothing of the target that is this machine.
  k8s: [...WITHOUT_ENGINE, 'pipeline/commands', 'pipeline/rounds', 'k8s/manifests', 'workflows', 'sweep'],
};

/** Folders whose tests and tools may look anywhere. */
const FREE = ['test', 'bench', 'reference', 'scripts', ''];

/** Tests, and the suite that tests share, may look anywhere: they make their input with whatever makes it best. */
const isTest = (path: string) => path.endsWith('.test.ts') || path.includes('/conformance/');

/** `lib/formats/npy.ts` → `lib/formats`, `trainer/cli.ts` → `trainer`, `cli.ts` → ``; an inner folder with a rule is its own. */
function folderOf(path: string): string {
  const [first = '', second = '', ...rest] = path.split('/');
  const inner = `${first}/${second}`;
  if (rest.length > 0 && (first === 'lib' || Object.hasOwn(ALLOWED, inner))) return inner;
  return second === '' ? '' : first;
}

/** A sentence for each import that the rules forbid. */
function violations(sources: readonly Source[]): readonly string[] {
  return sources.flatMap((source) => {
    const from = folderOf(source.path);
    if (FREE.includes(from) || isTest(source.path)) return [];
    const allowed = ALLOWED[from];
    if (allowed === undefined) return [`${source.path}: no rule says what the folder ${from} may import`];
    return importsOf(source)
      .filter((target) => ![folderOf(target), target].some((each) => each === from || allowed.includes(each)))
      .map((target) => `${source.path} imports ${target}: ${from} may not import ${folderOf(target)}`);
  });
}

/** The nodes of a circle of imports, or undefined; a node is a file unless `nodeOf` says what it belongs to. */
function findCycle(
  sources: readonly Source[],
  nodeOf: (path: string) => string = (path) => path,
): readonly string[] | undefined {
  const edges = new Map<string, Set<string>>();
  for (const source of sources) {
    if (FREE.includes(folderOf(source.path)) || isTest(source.path)) continue;
    const from = nodeOf(source.path);
    // A program or worker that a file starts may well import the file: it is loaded on its own.
    const text = source.text.replaceAll(/new URL\([^)]*\)/g, '');
    const targets = importsOf({ ...source, text }).map(nodeOf);
    edges.set(from, new Set([...(edges.get(from) ?? []), ...targets.filter((to) => to !== from)]));
  }
  // A node that was left without a circle is in none.
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle !== undefined) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

test('every source keeps to the import rules', () => {
  assert.deepEqual(violations(readSources()), []);
});

test('no folders and no files import each other in a circle', () => {
  assert.equal(findCycle(readSources(), folderOf), undefined);
  assert.equal(findCycle(readSources()), undefined);
});

test('the imports of the sources are really found', () => {
  const program = readSources().find(({ path }) => path === 'lib/cli/program.ts');
  assert.ok(program !== undefined && importsOf(program).includes('lib/core/errors.ts'));
});

test('a forbidden import is found, however it is written', () => {
  const planted = [
    "import { federatedAveraging } from '../pipeline/rounds/round-loop.js';",
    "import type { Engine } from '../lib/engine/engine.js';",
    "import { chooseEngine } from '../lib/engine/choose-engine.js';",
    "const { decode } = await import('../lib/engine/engine.js');",
    "export { trainClient } from '../trainer/train.js';",
    "import '../trainer/train.js';",
  ];
  for (const text of planted) {
    assert.equal(violations([{ path: 'splitter/planted.ts', text }]).length, 1, text);
  }
  assert.deepEqual(violations([{ path: 'newcomer/main.ts', text: '' }]), [
    'newcomer/main.ts: no rule says what the folder newcomer may import',
  ]);
});

test('a circle of imports is found', () => {
  const circle = [
    { path: 'lib/formats/a.ts', text: "import '../engine/b.js';" },
    { path: 'lib/engine/b.ts', text: "import '../formats/a.js';" },
  ];
  assert.deepEqual(findCycle(circle, folderOf), ['lib/formats', 'lib/engine', 'lib/formats']);
  assert.deepEqual(findCycle(circle), ['lib/formats/a.ts', 'lib/engine/b.ts', 'lib/formats/a.ts']);
});

/** Import statements alone: what is loaded later, by `import()`, is loaded where it is needed. */
const staticImports = ({ path, text }: Source) =>
  importsOf({ path, text: text.replaceAll(/import type [^;]*;|import\([^)]*\)/g, '') });

/** All that is loaded with the file at `path`. */
function loadedWith(
  path: string,
  sources: readonly Source[],
  found = new Set<string>(),
): ReadonlySet<string> {
  const source = sources.find((each) => each.path === path);
  if (source === undefined || found.has(path)) return found;
  found.add(path);
  for (const target of staticImports(source)) loadedWith(target, sources, found);
  return found;
}

test('programs start cheaply: threads that train load no files, programs no engine before it is wanted', () => {
  const sources = readSources();
  const folders = (path: string) => [...new Set([...loadedWith(path, sources)].map(folderOf))];
  const packages = (program: string, names: string) =>
    [...loadedWith(program, sources)].flatMap((path) => {
      const text = sources.find((each) => each.path === path)?.text ?? '';
      const imports = text.matchAll(new RegExp(`^import (?!type)[^;]*'(${names})'`, 'gm'));
      return [...imports].map(([, name]) => `${path}: ${name}`);
    });
  for (const thread of ['trainer/train-worker.ts', 'simulator/worker.ts']) {
    assert.ok(folders(thread).includes('lib/engine'), 'imports are found');
    assert.deepEqual(packages(thread, 'zod|commander|pino|jszip|execa|h5wasm'), [], thread);
  }
  // Schemas take longer to load than all the rest of a program that starts.
  for (const program of ['splitter/cli', 'trainer/cli', 'evaluator/cli', 'aggregator/cli', 'pipeline/cli']) {
    assert.deepEqual(packages(`${program}.ts`, 'zod'), [], program);
  }
  // Hashes are loaded with node:crypto, which takes longer than a help's own modules.
  for (const program of ['splitter/cli', 'trainer/cli', 'evaluator/cli', 'aggregator/cli']) {
    assert.ok(!loadedWith(`${program}.ts`, sources).has('lib/core/random.ts'), program);
  }
  // Most trainings ask for no strategy, and a split never does.
  for (const path of ['trainer/cli', 'trainer/train', 'splitter/cli', 'splitter/split']) {
    const strategies = [...loadedWith(`${path}.ts`, sources)].filter((each) =>
      each.startsWith('lib/federation/strategies/'),
    );
    assert.deepEqual(strategies, [], path);
  }
  const programs = [
    'trainer/cli',
    'evaluator/cli',
    'aggregator/cli',
    'server/cli',
    'server/predict-cli',
    'export/cli',
  ];
  for (const program of programs) {
    const heavy = [...loadedWith(`${program}.ts`, sources)].filter((path) =>
      /hdf5|npz|choose-engine|keras-model|manifest|decode-image|grpc|server\/app/.test(path),
    );
    assert.deepEqual(heavy, [], program);
  }
  for (const program of [
    ...programs,
    'splitter/cli',
    'splitter/split',
    'aggregator/aggregate',
    'pipeline/cli',
  ]) {
    const mathematics = [...loadedWith(`${program}.ts`, sources)].filter(
      (path) => /^lib\/(engine|model)\//.test(path) && !NAMES.includes(path),
    );
    assert.deepEqual(mathematics, [], program);
  }
});

test('what is built for the images imports nothing that .dockerignore leaves out', () => {
  const lines = readFileSync(join(projectRoot, '.dockerignore'), 'utf8').split('\n');
  const folders = lines.filter((line) => /^[\w./-]+$/.test(line));
  const isLeftOut = (path: string) =>
    path.endsWith('.test.ts') || folders.some((folder) => path.startsWith(`${folder}/`));
  assert.ok(isLeftOut('bench/report.ts'));
  const missing = readSources()
    .filter(({ path }) => !isLeftOut(path))
    .flatMap((source) =>
      importsOf(source)
        .filter(isLeftOut)
        .map((target) => `${source.path}: ${target}`),
    );
  assert.deepEqual(missing, []);
});

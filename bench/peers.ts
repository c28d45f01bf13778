/** The frameworks that we measure beside: Debian's PyTorch where it is, the others in environments that the bench makes. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../lib/core/errors.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { sampleProcess } from './measure.js';
import { peerScript } from './section.js';

/** Why a section, or a side of it, was not measured. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError';
}

/** A Python that can import a framework. */
export interface Peer {
  readonly command: string;
  /** What it is called in a table, with its version. */
  readonly name: string;
  /** Variables that it needs. */
  readonly environment?: Readonly<Record<string, string>>;
}

const ENVIRONMENTS = join('.cache', 'bench-venv');

/** PyTorch 2: the Python in `FEDBATCH_TORCH_PYTHON`, else an environment with PyPI's. @throws {SkippedError} */
export async function preparePyTorch(): Promise<Peer> {
  const own = process.env.FEDBATCH_TORCH_PYTHON;
  const command =
    own ?? (await prepareEnvironment('torch', { pipFlags: ['--no-deps'], afterwards: 'stand_ins.py' }));
  return { command, name: `PyTorch ${await versionOf(command, 'torch')}` };
}

/** Keras 3 on TensorFlow: the Python in `FEDBATCH_KERAS_PYTHON`, else an environment with PyPI's. @throws {SkippedError} */
export async function prepareKeras(): Promise<Peer> {
  const command = process.env.FEDBATCH_KERAS_PYTHON ?? (await prepareEnvironment('keras'));
  const tensorflow = await versionOf(command, 'tensorflow');
  return { command, name: `Keras ${await versionOf(command, 'keras')}, TensorFlow ${tensorflow}` };
}

/** Flask with Keras 3, behind waitress: an environment with PyPI's. @throws {SkippedError} */
export async function prepareFlask(): Promise<Peer> {
  const command = await prepareEnvironment('serve', { module: 'flask' });
  const code = "from importlib.metadata import version; print(version('flask'))";
  const { stdout } = await sampleProcess(command, ['-c', code]);
  return { command, name: `Flask ${stdout.trim()}, Keras ${await versionOf(command, 'keras')}` };
}

/** Flower: an environment with PyPI's. @throws {SkippedError} */
export async function prepareFlower(): Promise<Peer> {
  const command = await prepareEnvironment('flower', { module: 'flwr' });
  return { command, name: `Flower ${await versionOf(command, 'flwr')}` };
}

/** Flower's simulation with PyTorch 2. @throws {SkippedError} */
export const prepareFlowerSimulation = (): Promise<Peer> => withPyTorch(prepareFlower);

/** pfl-research with PyTorch 2: an environment with PyPI's. @throws {SkippedError} */
export const preparePfl = (): Promise<Peer> =>
  withPyTorch(async () => {
    const command = await prepareEnvironment('pfl');
    return { command, name: `pfl ${await versionOf(command, 'pfl')}` };
  });

/** A simulator, and beside it the PyTorch of `preparePyTorch`. */
async function withPyTorch(prepare: () => Promise<Peer>): Promise<Peer> {
  const torch = await preparePyTorch();
  const { command, name } = await prepare();
  const where = "import sysconfig; print(sysconfig.get_path('platlib'))";
  const { stdout } = await sampleProcess(torch.command, ['-c', where]);
  return { command, name: `${name}, ${torch.name}`, environment: { PYTHONPATH: stdout.trim() } };
}

/** NVFlare: an environment with PyPI's. @throws {SkippedError} */
export async function prepareNvflare(): Promise<Peer> {
  const command = await prepareEnvironment('nvflare');
  return { command, name: `NVFlare ${await versionOf(command, 'nvflare')}` };
}

/** pandas and pyarrow: the Python in `FEDBATCH_TABLES_PYTHON`, else an environment with PyPI's. @throws {SkippedError} */
export async function prepareTables(): Promise<Peer> {
  const own = process.env.FEDBATCH_TABLES_PYTHON;
  const command = own ?? (await prepareEnvironment('tables', { module: 'pyarrow' }));
  const names: string[] = [];
  for (const module of ['pandas', 'pyarrow', 'numpy'])
    names.push(`${module} ${await versionOf(command, module)}`);
  return { command, name: names.join(', ') };
}

/** h5py and numpy: the Python in `FEDBATCH_H5PY_PYTHON`, else an environment with PyPI's. @throws {SkippedError} */
export async function prepareH5py(): Promise<Peer> {
  const command = process.env.FEDBATCH_H5PY_PYTHON ?? (await prepareEnvironment('h5py'));
  return {
    command,
    name: `h5py ${await versionOf(command, 'h5py')}, numpy ${await versionOf(command, 'numpy')}`,
  };
}

/** Debian's PyTorch, the floor. @throws {SkippedError} where it is not installed */
export async function findDebianTorch(): Promise<Peer> {
  const command = '/usr/bin/python3';
  const version = await versionOf(command, 'torch').catch(() => {
    throw new SkippedError('no PyTorch in /usr/bin/python3 (Debian: apt-get install python3-torch)');
  });
  return { command, name: `PyTorch ${version} (Debian)` };
}

/** The peers that can be had here; a line on stderr and in the table's notes for each of the others. */
export async function availablePeers<T extends Record<string, () => Promise<Peer>>>(
  prepare: T,
): Promise<{ readonly peers: { readonly [Key in keyof T]?: Peer }; readonly notes: readonly string[] }> {
  const peers: { [Key in keyof T]?: Peer } = {};
  const notes: string[] = [];
  for (const key of Object.keys(prepare) as (keyof T & string)[]) {
    try {
      peers[key] = await prepare[key]?.();
    } catch (error) {
      if (!(error instanceof SkippedError)) throw error;
      console.error(`skipped: ${error.message}`);
      notes.push(`Not measured: ${key} (${error.message}).`);
    }
  }
  return { peers, notes };
}

async function versionOf(command: string, module: string): Promise<string> {
  const code = `import ${module}; print(${module}.__version__)`;
  const { stdout } = await sampleProcess(command, ['-c', code], { TF_CPP_MIN_LOG_LEVEL: '3' });
  return stdout.trim().split('\n').at(-1) ?? '';
}

interface EnvironmentOptions {
  readonly pipFlags?: readonly string[];
  /** A script that its Python runs once everything is installed. */
  readonly afterwards?: string;
  /** What must be importable then; by default what the environment is called. */
  readonly module?: string;
}

/**
 * The Python of the environment `name`, which holds exactly what `bench/peers/requirements-<name>.txt` says; made
 * anew when that has changed or an earlier attempt was cut short.
 */
async function prepareEnvironment(
  name: string,
  { pipFlags = [], afterwards, module = name }: EnvironmentOptions = {},
): Promise<string> {
  const directory = join(ENVIRONMENTS, name);
  const python = join(directory, 'bin', 'python');
  const requirements = peerScript(`requirements-${name}.txt`);
  const recipes = [requirements, ...(afterwards === undefined ? [] : [peerScript(afterwards)])];
  const recipe = sha256(Buffer.concat(await Promise.all(recipes.map((path) => readFile(path)))));
  const marker = join(directory, 'recipe');
  if (existsSync(marker) && (await readFile(marker, 'utf8')) === recipe) return python;

  console.error(`making ${directory}: pip downloads several hundred MB, once`);
  await rm(directory, { recursive: true, force: true });
  await mkdir(ENVIRONMENTS, { recursive: true });
  try {
    await sampleProcess(process.env.FEDBATCH_BENCH_PYTHON ?? 'python3', ['-m', 'venv', directory]);
    await sampleProcess(python, [
      '-m',
      'pip',
      'install',
      '--quiet',
      ...pipFlags,
      '--requirement',
      requirements,
    ]);
    if (afterwards !== undefined) await sampleProcess(python, [peerScript(afterwards)]);
    await versionOf(python, module);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    const reason = messageOf(error);
    throw new SkippedError(`no environment from ${requirements}, is PyPI reachable? ${lastLine(reason)}`, {
      cause: error,
    });
  }
  await writeFile(marker, recipe);
  return python;
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? '';

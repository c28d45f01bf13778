/**
 * What a machine with a card has: the card, its driver for Vulkan, CUDA's libraries, a Python with PyTorch; and which
 * drivers a process has loaded: what a backend computed on, told by the kernel and not by the backend.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../lib/core/errors.js';
import type { RegisteredBackend } from '../../lib/engine/engine-registry.js';
import { allowsSoftwareGpu } from '../../lib/engine/tensorflow/webgpu-device.js';
import { nvidiaGpuNames } from '../../lib/system/hardware.js';
import { NotPossibleError, runLimited } from './limited.js';

/** A card as its own tool tells of it. */
export interface Card {
  readonly name: string;
  /** Version of the driver, and the card's memory, where they are told. */
  readonly driver?: string;
  readonly memory?: string;
}

const QUERY = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];

/** The first NVIDIA card. @throws {NotPossibleError} where none is found; one of another maker is found by Vulkan */
export async function findNvidiaCard(limitMs: number): Promise<Card> {
  try {
    const stdout = await runLimited('nvidia-smi', QUERY, { limitMs });
    const [name = '', driver = '', memory = ''] = stdout.split('\n')[0]?.split(', ') ?? [];
    if (name !== '') return { name, driver, memory };
  } catch {
    // Not installed, or without a driver.
  }
  const [name] = nvidiaGpuNames();
  if (name === undefined) throw new NotPossibleError('nvidia-smi and the driver name no card');
  return { name };
}

/** The environment in which Vulkan has one driver, and what it finds. */
export interface Vulkan {
  readonly env: NodeJS.ProcessEnv;
  readonly card: string;
  readonly drivers: readonly string[];
}

/** Where drivers for Vulkan are announced (the loader's own places, and where containers get NVIDIA's). */
const ANNOUNCEMENTS = [
  ...['/etc/vulkan', '/usr/share/vulkan', '/usr/local/share/vulkan', '/usr/local/etc/vulkan'],
  '/usr/local/nvidia/share/vulkan',
].map((folder) => join(folder, 'icd.d'));

/** Where libraries lie, beside LD_LIBRARY_PATH. */
const LIBRARIES = [
  ...[
    '/usr/lib/x86_64-linux-gnu',
    '/lib/x86_64-linux-gnu',
    '/usr/lib64',
    '/lib64',
    '/usr/lib',
    '/usr/local/lib',
  ],
  ...['/usr/local/nvidia/lib64', '/usr/local/nvidia/lib'],
];

/** NVIDIA's drivers for Vulkan; the second needs nothing of X, which containers lack. */
const NVIDIA = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];

const librariesHere = () =>
  [...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter), ...LIBRARIES].filter(Boolean);

/** The path of a library, where it lies in one of the usual folders. */
function findLibrary(name: string): string | undefined {
  return librariesHere()
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

interface VulkanSearch {
  /** For the announcement of a driver that nobody has announced. */
  readonly directory: string;
  /** The folder of Vulkan's loader that came along, for machines without one. */
  readonly loader: string;
  readonly limitMs: number;
}

/**
 * Finds the driver of a card for Vulkan, and hides all others, so that nothing can take another one than that: drivers
 * in software are passed over unless they are allowed.
 *
 * @throws {NotPossibleError} with what each driver said
 */
export async function findVulkan({ directory, loader, limitMs }: VulkanSearch): Promise<Vulkan> {
  const program = fileURLToPath(new URL('./adapter.js', import.meta.url));
  const folders = librariesHere().filter((folder) => folder.includes('nvidia') && existsSync(folder));
  if (findLibrary('libvulkan.so.1') === undefined) folders.push(loader);
  const path = [...folders, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  const refusals: string[] = [];
  for (const file of announcements(directory)) {
    // The old name of the variable is the one that old loaders know.
    const env = {
      VK_DRIVER_FILES: file,
      VK_ICD_FILENAMES: file,
      ...(path === '' ? {} : { LD_LIBRARY_PATH: path }),
    };
    try {
      const stdout = await runLimited(process.execPath, [program], { limitMs, env });
      const { card, drivers } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Omit<Vulkan, 'env'>;
      return { env, card, drivers };
    } catch (error) {
      refusals.push(`${file}: ${messageOf(error)}`);
    }
  }
  throw new NotPossibleError(
    refusals.length === 0
      ? 'no driver for Vulkan is installed'
      : `no driver for Vulkan works: ${refusals.join('; ')}`,
  );
}

/** Files that announce drivers, those of cards first; where none is NVIDIA's, one is made for each of its libraries. */
function announcements(directory: string): readonly string[] {
  const told = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (told !== undefined && told !== '') return told.split(delimiter);
  const found = ANNOUNCEMENTS.filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    .filter((file) => file.endsWith('.json') && !/nouveau/.test(file))
    .filter((file) => allowsSoftwareGpu() || !/lvp|swiftshader/.test(file));
  const nvidia = found.filter((file) => file.includes('nvidia'));
  const others = found.filter((file) => !nvidia.includes(file));
  // An announced one may fail as well, where X is missing.
  return [...nvidia, ...NVIDIA.flatMap((name) => announce(name, directory)), ...others];
}

function announce(name: string, directory: string): readonly string[] {
  const library = findLibrary(name);
  if (library === undefined) return [];
  const file = join(directory, `${name}.json`);
  mkdirSync(directory, { recursive: true });
  const icd = { library_path: library, api_version: '1.3.0' };
  writeFileSync(file, JSON.stringify({ file_format_version: '1.0.0', ICD: icd }));
  return [file];
}

/** A Python whose PyTorch sees a card. */
export interface Torch {
  readonly command: string;
  readonly version: string;
  readonly card: string;
  /** Folders of CUDA's libraries: PyPI's PyTorch brings them along. */
  readonly libraries: readonly string[];
}

const TELL_TORCH = `
import glob, json, os, torch
torch.cuda.is_available() or exit(f"PyTorch {torch.__version__} sees no card")
site = os.path.dirname(os.path.dirname(torch.__file__))
libraries = [os.path.join(os.path.dirname(torch.__file__), "lib"), *sorted(glob.glob(os.path.join(site, "nvidia", "*", "lib")))]
print(json.dumps({"version": torch.__version__, "card": torch.cuda.get_device_name(), "libraries": libraries}))
`;

/** Looks for PyTorch in FEDBATCH_TORCH_PYTHON, else in python3. @throws {NotPossibleError} where it sees no card */
export async function findTorch(limitMs: number): Promise<Torch> {
  const command = process.env.FEDBATCH_TORCH_PYTHON ?? 'python3';
  try {
    const stdout = await runLimited(command, ['-c', TELL_TORCH], { limitMs });
    return { command, ...(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Omit<Torch, 'command'>) };
  } catch (error) {
    throw new NotPossibleError(`${command}: ${messageOf(error)}`);
  }
}

/** Folders in which CUDA's libraries lie: of the toolkit, and those that came with PyTorch. */
export function cudaLibraries(torch: Torch | undefined): readonly string[] {
  const toolkits = existsSync('/usr/local')
    ? readdirSync('/usr/local')
        .filter((name) => /^cuda/.test(name))
        .map((name) => join('/usr/local', name, 'lib64'))
    : [];
  return [...toolkits.filter((folder) => existsSync(folder)), ...(torch?.libraries ?? [])];
}

/** Drivers for Vulkan (NVIDIA's, Mesa's, AMD's, Google's in software) and for CUDA. */
const DRIVER = /\/((?:lib(?:GLX|EGL)_nvidia|libcuda|libvulkan_\w+|amdvlk\w*|libvk_\w+)\.so[\w.]*)/g;
/** Those that compute on the processor. */
const SOFTWARE = /^lib(?:vk_swiftshader|vulkan_lvp)\./;
const CUDA = /^libcuda\./;

/** The drivers in the memory map of a process (proc(5), `/proc/<pid>/maps`). */
export function driversIn(maps: string): readonly string[] {
  return [...new Set([...maps.matchAll(DRIVER)].map(([, file = '']) => file))];
}

/**
 * The drivers that a GPU backend runs on in this process, once it has computed; none for a backend of the processor.
 *
 * @throws {Error} where no driver is loaded, or one that computes on the processor and was not asked for
 */
export function requireCard(
  { device, needsNvidia }: Pick<RegisteredBackend, 'device' | 'needsNvidia'>,
  {
    maps = readFileSync('/proc/self/maps', 'utf8'),
    allowsSoftware = allowsSoftwareGpu(),
  }: { readonly maps?: string; readonly allowsSoftware?: boolean } = {},
): readonly string[] {
  if (device === 'cpu') return [];
  const drivers = driversIn(maps).filter((file) => CUDA.test(file) === needsNvidia);
  if (drivers.length === 0) {
    throw new Error(`no driver for ${needsNvidia ? 'CUDA' : 'Vulkan'} is loaded: the processor computed`);
  }
  const software = drivers.find((file) => SOFTWARE.test(file));
  if (software !== undefined && !allowsSoftware) {
    throw new Error(`${software} is loaded, which computes on the processor`);
  }
  return drivers;
}

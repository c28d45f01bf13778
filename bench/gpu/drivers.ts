/** Which drivers of cards this process has loaded: what a backend computed on, told by the kernel and not by the backend. */
import { readFileSync } from 'node:fs';
import type { RegisteredBackend } from '../../lib/engine/engine-registry.js';
import { allowsSoftwareGpu } from '../../lib/engine/tensorflow/webgpu-device.js';

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

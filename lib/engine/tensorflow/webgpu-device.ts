/** WebGPU in Node: puts Dawn's `webgpu` package where TensorFlow.js looks for a browser's. */
import { loadPackage } from './backends.js';

/** What we use of the `webgpu` package and of the standard's adapter. */
interface DawnPackage {
  readonly create: (flags: readonly string[]) => Gpu;
  readonly globals: Readonly<Record<string, unknown>>;
}
interface Gpu {
  requestAdapter(options: { readonly powerPreference: string }): Promise<Adapter | null>;
}
interface Adapter {
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
}

/** Lets an adapter without a graphics card pass, for checks of correctness: it is slower than any processor backend. */
const SOFTWARE_GPU_VARIABLE = 'FEDBATCH_SOFTWARE_GPU';

/** Drivers that compute on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software/i;

let installed: Promise<string> | undefined;

/**
 * Provides `navigator.gpu` and returns the name of the graphics card.
 *
 * @throws {Error} saying why there is none
 */
export function provideWebgpu(): Promise<string> {
  installed ??= install();
  return installed;
}

async function install(): Promise<string> {
  const { create, globals } = (await loadPackage('webgpu')) as DawnPackage;
  // Dawn's own notes go to stderr before any error could be told apart from them.
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new Error('Vulkan, Metal or Direct3D finds no graphics card here');
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const card = description || `${vendor} ${architecture}`.trim();
  if ((isFallbackAdapter || SOFTWARE.test(`${architecture} ${card}`)) && !allowsSoftwareGpu()) {
    throw new Error(
      `there is no graphics card, only ${card} (set ${SOFTWARE_GPU_VARIABLE}=1 to compute on it all the same)`,
    );
  }
  Object.assign(globalThis, globals);
  // Node 21 has a navigator, but none with a gpu.
  const navigator = Object.create(Reflect.get(globalThis, 'navigator') ?? null, { gpu: { value: gpu } });
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  return card;
}

/** Whether the user has asked for that. */
export const allowsSoftwareGpu = (): boolean => process.env[SOFTWARE_GPU_VARIABLE] === '1';

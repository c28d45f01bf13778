/** Prints the card that Vulkan finds for WebGPU, and the driver behind it, as one JSON line; fails where there is none. */
import { provideWebgpu } from '../../lib/engine/tensorflow/webgpu-device.js';
import { requireCard } from './machine.js';

const card = await provideWebgpu();
const drivers = requireCard({ device: 'gpu', needsNvidia: false });
process.stdout.write(`${JSON.stringify({ card, drivers })}\n`, () => process.exit());

/** Runs a session into tensors that are there already, on every build of ONNX Runtime. */
import type { Feeds, InferenceSession, OnnxRuntime, Tensor } from './runtime.js';

/** Runs `session` and fills `outputs`. */
export async function runInto(
  outputs: Readonly<Record<string, Tensor>>,
  {
    runtime,
    session,
    feeds,
  }: { readonly runtime: OnnxRuntime; readonly session: InferenceSession; readonly feeds: Feeds },
): Promise<void> {
  if (runtime.fillsGivenOutputs) {
    await session.run(feeds, outputs);
    return;
  }
  const results = await session.run(feeds, Object.keys(outputs));
  for (const [name, tensor] of Object.entries(outputs)) floats(tensor).set(floats(results[name] as Tensor));
}

/** The elements of a float tensor. */
export const floats = (tensor: Tensor): Float32Array => tensor.data as Float32Array;

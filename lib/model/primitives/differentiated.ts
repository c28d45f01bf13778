/** A layer by its forward pass in primitive operators: its way back is the reverse pass over them. */
import type { AppliedLayer, LayerContext, LayerValue } from '../graph/layer-graph.js';
import { BATCH_AXIS, gradients, type Value } from './value.js';

/** The current value of a parameter of the layer: its role, and its shape. */
export type ParameterValue = (role: string, shape: readonly number[]) => Value;

/** The forward pass of a layer. Images are channels first: `[batch, c, h, w]`. */
type Forward<L> = (layer: L, x: Value, parameter: ParameterValue) => Value;

/** Makes a layer's `forward` of its forward pass alone. */
export function differentiated<L>(
  forward: Forward<L>,
): (layer: L, input: LayerValue, context: LayerContext) => AppliedLayer {
  return (layer, input, context) => {
    const { graph } = context;
    const x: Value = { graph, tensor: input.tensor, shape: [BATCH_AXIS, ...input.shape] };
    const parameters = new Map<string, Value>();
    const y = forward(layer, x, (role, shape) => {
      const parameter = { graph, tensor: context.parameter(role), shape };
      parameters.set(role, parameter);
      return parameter;
    });
    return {
      output: y === x ? input : { tensor: y.tensor, shape: y.shape.slice(1) },
      backward(dy, needsInputGradient) {
        const wanted = [...parameters.values(), ...(needsInputGradient ? [x] : [])];
        const found = gradients(y, dy, wanted);
        for (const [at, role] of [...parameters.keys()].entries())
          context.gradient(role, found[at] as string);
        return needsInputGradient ? found.at(-1) : undefined;
      },
    };
  };
}

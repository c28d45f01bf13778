/** MaxPooling2D: the largest value of each window. */
import { applyBlockedMaxPooling, canBlockMaxPooling } from '../graph/blocked-max-pooling.js';
import { maxPoolGradient } from '../graph/max-pool-gradient.js';
import type { WindowGeometry } from '../graph/window-geometry.js';
import type { LayerModule } from './layer-module.js';
import { type Pool2dLayer, pooledShape, poolGeometry, poolSettings } from './shapes.js';

/** Its gradient goes to the first largest. */
export const maxPooling2d: LayerModule<Pool2dLayer<'maxPooling2d'>> = {
  kind: 'maxPooling2d',
  keras: [{ names: ['MaxPooling2D', 'MaxPool2D'], settings: poolSettings }],
  outputShape: pooledShape,
  forward(layer, input, { graph, training, withoutPoolIndices }) {
    const { geometry, window, output } = poolGeometry(layer, input);
    if (!training || withoutPoolIndices) {
      const tensor = graph.op('MaxPool', [input.tensor], window);
      return {
        output: { tensor, shape: output },
        backward: (gradient) =>
          maxPoolGradient(graph, layer, {
            x: input.tensor,
            largest: tensor,
            gradient,
            shape: input.shape,
            geometry,
          }),
      };
    }
    const [tensor = '', indices = ''] = graph.opWithOutputs('MaxPool', {
      inputs: [input.tensor],
      attributes: window,
      outputs: 2,
    });
    return {
      output: { tensor, shape: output },
      backward(dy) {
        const shape = graph.op('Shape', [input.tensor]);
        if (!overlaps(layer) && isTiling(geometry)) {
          return graph.op('MaxUnpool', [dy, indices, shape], {
            kernel_shape: layer.pool,
            strides: layer.strides,
          });
        }
        // Indices count through the whole tensor; a pixel may be the largest of several windows.
        const size = graph.op('ReduceProd', [shape], { keepdims: 1 });
        const zeros = graph.op('ConstantOfShape', [size]);
        const flat = graph.op('ScatterElements', [zeros, graph.reshape(indices, -1), graph.reshape(dy, -1)], {
          reduction: 'add',
        });
        return graph.op('Reshape', [flat, shape]);
      },
    };
  },
  blocked: { accepts: canBlockMaxPooling, forward: applyBlockedMaxPooling },
  commutesWithRelu: true,
};

const overlaps = (layer: Pool2dLayer) => layer.strides[0] < layer.pool[0] || layer.strides[1] < layer.pool[1];

const isTiling = (geometry: WindowGeometry) =>
  [...geometry.padBefore, ...geometry.padAfter].every((pad) => pad === 0);

/** MaxPooling2D: the largest value of each window. */
import { maxPool } from '../../primitives/pooling.js';
import type { LayerModule } from '../layer-module.js';
import { type Pool2dLayer, pooledShape, poolSettings } from '../shapes.js';

/** Its gradient goes to the first largest. */
export const maxPooling2d: LayerModule<Pool2dLayer<'maxPooling2d'>> = {
  kind: 'maxPooling2d',
  keras: [{ names: ['MaxPooling2D', 'MaxPool2D'], settings: poolSettings }],
  outputShape: pooledShape,
  forward: (layer, [x], context) => maxPool(x, layer, context),
  commutesWithRelu: true,
};

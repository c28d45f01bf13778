/** Prediction as an ONNX graph with the weights as constants, so that the runtime may lay them out as it likes. */

import { GraphBuilder } from '../../../model/graph/graph-builder.js';
import type { Model } from '../../../model/model-description.js';
import { planOperations } from '../../../model/operations.js';
import { classCount, modelParameters } from '../../../model/parameters.js';
import { buildNetwork } from './network.js';
import { encodeOnnxModel } from './onnx-model.js';
import { BATCH } from './training-graph.js';

/** Compiles a prediction: `images` [batch, h, w, c] to `probabilities` [batch, classes]. */
export function buildPredictGraph({ description, weights }: Model): Uint8Array {
  const graph = new GraphBuilder();
  const images = graph.input('images', 'float32', [BATCH, ...description.inputShape]);
  const network = buildNetwork(graph, images, {
    training: false,
    inputShape: description.inputShape,
    operations: planOperations(description),
    parameters: modelParameters(description).map((each, index) => {
      const values = weights[index]?.values ?? new Float32Array(0);
      return { ...each, tensor: graph.constant(values, each.shape) };
    }),
    rowSeeds: () => {
      throw new Error('prediction draws no random numbers');
    },
  });
  graph.output('probabilities', network.output.tensor, {
    type: 'float32',
    shape: [BATCH, classCount(description)],
  });
  return encodeOnnxModel(graph.build());
}

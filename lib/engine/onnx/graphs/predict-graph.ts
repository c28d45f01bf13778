/** A model's prediction as one ONNX graph with its weights in it: for our sessions, and for other programs. */
import { type Graph, GraphBuilder } from '../../../model/graph/graph-builder.js';
import type { Model } from '../../../model/model-description.js';
import { planOperations } from '../../../model/operations.js';
import { modelParameters } from '../../../model/parameters.js';
import { laidOut } from '../../../model/primitives/layout.js';
import { BATCH, buildNetwork, FLOAT, modelInputs } from './network.js';

/** What other programs call the inputs and outputs of a model, in its order. */
export interface EndNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * Compiles a prediction with batches of any size: `input/0`, … [batch, …] to `output/0`, … [batch, …], in the model's
 * order, or as they are named (see `modelInputs`); without names also `counted/<at>` [batch, steps] for each output that a
 * mask reaches. Weights are constants by their own names.
 */
export function predictGraph({ description, weights }: Model, names?: EndNames): Graph {
  const graph = new GraphBuilder();
  const { outputs } = buildNetwork(modelInputs(graph, description, names?.inputs), {
    training: false,
    batchSize: undefined,
    blockSize: undefined,
    withoutPoolIndices: false,
    plan: planOperations(description),
    parameters: modelParameters(description).map((each, index) => {
      const { name, values } = weights[index] ?? { values: new Float32Array(0) };
      const { shape } = each;
      return { ...each, value: { graph, tensor: graph.constant(values, shape, name), shape } };
    }),
    rowSeeds: onlyInTraining,
    batchShare: onlyInTraining,
  });
  for (const [at, output] of outputs.entries()) {
    const { tensor, shape } = laidOut(output);
    const name = names?.outputs[at] ?? `output/${at}`;
    graph.output(name, tensor, { type: 'float32', shape: [BATCH, ...shape.slice(1)] });
    if (output.mask === undefined || names !== undefined) continue;
    const counts = graph.op('Cast', [output.mask], { to: FLOAT });
    graph.output(`counted/${at}`, counts, { type: 'float32', shape: [BATCH, ...shape.slice(1, 2)] });
  }
  return graph.build();
}

const onlyInTraining = (): never => {
  throw new Error('prediction draws no random numbers and has no loss');
};

/** The loss at one output of a model in a graph: each step of an answer as an example of its own, and which of them count. */
import { sizeOf } from '../../../core/weights.js';
import type { OutputLoss } from '../../../federation/loss.js';
import type { GraphBuilder, Tensor } from '../../../model/graph/graph-builder.js';
import { mul } from '../../../model/primitives/arithmetic.js';
import { laidOut } from '../../../model/primitives/layout.js';
import { reshape } from '../../../model/primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../../model/primitives/value.js';
import { lossModule } from '../../../model/tasks/losses.js';
import { BATCH, FLOAT } from './network.js';

/** How an output is judged. */
interface OutputTerms {
  readonly settings: OutputLoss;
  readonly at: number;
  /** How much each example counts. */
  readonly weights: Value;
}

/** The loss of one output, with its input `target/<at>`; of its steps those count that its mask lets. */
export function outputLoss(given: Value, { settings, at, weights }: OutputTerms) {
  const { graph, mask } = given;
  const output = laidOut(given);
  const loss = lossModule(settings);
  const shape = output.shape.slice(1);
  const steps = sizeOf(shape.slice(0, -1));
  const isLabels = loss.targets === 'labels';
  const target = isLabels
    ? ({ type: 'int32', shape: shape.slice(0, -1) } as const)
    : ({ type: 'float32', shape } as const);
  const wanted = {
    graph,
    tensor: graph.input(`target/${at}`, target.type, [BATCH, ...target.shape]),
    shape: [BATCH_AXIS, ...target.shape],
  };
  const share = (settings.weight ?? 1) / steps;
  const rows = shape.length === 1 ? [] : [BATCH_AXIS, shape.at(-1) as number];
  const counted = mask === undefined ? undefined : countedSteps(graph, mask);
  const ofSteps = weightsOfSteps(share === 1 ? weights : mul(weights, share), steps);
  const terms = {
    settings,
    // Each step is as an example of its own.
    output: shape.length === 1 ? output : reshape(output, rows),
    target: shape.length === 1 ? wanted : reshape(wanted, isLabels ? [BATCH_AXIS] : rows),
    weights: counted === undefined ? ofSteps : mul(ofSteps, counted),
    counted: counted?.tensor,
  };
  const correct =
    loss.correct &&
    (() => {
      const right = loss.correct?.(terms) as Tensor;
      return steps === 1 ? right : graph.op('Mul', [right, graph.scalar(1 / steps)]);
    });
  return { target, loss: loss.graph(terms), correct };
}

/** What divides by how many steps count, where none does. */
const SMALLEST_SHARE = 1e-7;

/**
 * How much each step counts, `[batch · steps, 1]`: those that are masked 0, the others as much as all together would, so
 * that a mean over all steps is one over those that count, as in Keras 2 and 3.
 */
function countedSteps(graph: GraphBuilder, mask: Tensor): Value {
  const counts = graph.op('Cast', [mask], { to: FLOAT });
  const share = graph.op('ReduceMean', [counts, graph.integers(0, 1)], { keepdims: 1 });
  const evened = graph.op('Div', [counts, graph.op('Max', [share, graph.scalar(SMALLEST_SHARE)])]);
  return { graph, tensor: graph.reshape(evened, -1, 1), shape: [BATCH_AXIS, 1] };
}

/** The weight of each step of each example, `[batch · steps, 1]`, where examples have weights of their own. */
function weightsOfSteps(weights: Value, steps: number): Value {
  if (steps === 1 || weights.shape.length === 1) return weights;
  const { graph } = weights;
  const ones = {
    graph,
    tensor: graph.constant(new Float32Array(steps).fill(1), [1, steps]),
    shape: [1, steps],
  };
  return reshape(mul(weights, ones), [BATCH_AXIS, 1]);
}

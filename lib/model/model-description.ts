/** A Keras model as data: its inputs, its layers and how they are called on each other, without weights. */
import type { Weights } from '../core/weights.js';
import type { Layer } from './layers/registry.js';

/** A model: layers called on inputs, and on what other calls give. */
export interface ModelDescription {
  readonly name: string;
  readonly inputs: readonly NamedInput[];
  /** Each once, in the order in which Keras keeps their weights. */
  readonly layers: readonly Layer[];
  /** In order of computation. A layer that is called several times has its parameters once. */
  readonly calls: readonly LayerCall[];
  /** The values that the model gives. */
  readonly outputs: readonly string[];
  /** Layers that are one in the file, a model in the model: Keras keeps their moving statistics behind all else. */
  readonly nested?: readonly (readonly string[])[];
  /** What training would not respect, in words; such a model can predict only. */
  readonly trainingObstacles?: readonly string[];
}

/** What a model is given. */
export interface NamedInput {
  readonly name: string;
  /** Of one example: `[features]`, `[h, w, c]`; in Keras' order. */
  readonly shape: readonly number[];
  /** Set where the file says that the numbers are whole ones; they are given as floats all the same. */
  readonly isInteger?: boolean;
}

/** One call of a layer. */
export interface LayerCall {
  /** The name of the layer. */
  readonly layer: string;
  /** Names of values: inputs of the model, and outputs of earlier calls. */
  readonly inputs: readonly string[];
  /** The name of the value that comes out, unique in the model. */
  readonly output: string;
}

/** A model: its description and the weights that go with it. */
export interface Model {
  readonly description: ModelDescription;
  readonly weights: Weights;
}

/** What the input of a chain is called, which has no name of its own. */
export const CHAIN_INPUT: string = 'input';

/** A chain of layers on one input. */
interface Chain extends Pick<ModelDescription, 'name' | 'layers' | 'trainingObstacles'> {
  readonly inputShape: readonly number[];
}

/** The description of a chain of layers, as Keras' Sequential is. */
export function sequential({ inputShape, ...chain }: Chain): ModelDescription {
  let last = CHAIN_INPUT;
  const calls = chain.layers.map(({ name }) => {
    const call = { layer: name, inputs: [last], output: name };
    last = name;
    return call;
  });
  return { ...chain, inputs: [{ name: CHAIN_INPUT, shape: inputShape }], calls, outputs: [last] };
}

/** A description whose layers are brought into the order in which Keras would list them: it reads weights in that order. */
export function functional(model: ModelDescription): ModelDescription {
  const order = kerasOrder(model);
  const layers = [...model.layers].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const open = [...model.calls].sort((a, b) => order.indexOf(a.layer) - order.indexOf(b.layer));
  const known = new Set(model.inputs.map(({ name }) => name));
  const calls: LayerCall[] = [];
  while (open.length > 0) {
    const at = open.findIndex(({ inputs }) => inputs.every((value) => known.has(value)));
    const [call] = open.splice(at, at < 0 ? 0 : 1);
    if (call === undefined) throw new Error(`no call of ${model.name} can be the next one`);
    known.add(call.output);
    calls.push(call);
  }
  return { ...model, layers, calls };
}

/**
 * The names of the layers as Keras orders them when it builds a functional model: those that are more calls away from the
 * outputs first, and of equals the one that is found first from the outputs.
 */
function kerasOrder({ calls, outputs }: ModelDescription): readonly string[] {
  const byOutput = new Map(calls.map((call) => [call.output, call]));
  const found: string[] = [];
  const finished = new Set<LayerCall>();
  const visit = (value: string) => {
    const call = byOutput.get(value);
    if (call === undefined || finished.has(call)) return;
    if (!found.includes(call.layer)) found.push(call.layer);
    for (const input of call.inputs) visit(input);
    finished.add(call);
  };
  for (const output of outputs) visit(output);
  const depths = new Map<string, number>();
  const depthOf = new Map<LayerCall, number>();
  // A call is finished after those that it reads.
  for (const call of [...finished].reverse()) {
    const depth = Math.max(depthOf.get(call) ?? 0, depths.get(call.layer) ?? 0);
    depths.set(call.layer, depth);
    for (const input of call.inputs) {
      const before = byOutput.get(input);
      if (before !== undefined) depthOf.set(before, Math.max(depth + 1, depthOf.get(before) ?? 0));
    }
  }
  return found.sort((a, b) => (depths.get(b) as number) - (depths.get(a) as number));
}

/** Whether a model is a chain of layers, each called once on what comes before it. */
export function isChain({ inputs, layers, calls, outputs }: ModelDescription): boolean {
  const values = [inputs[0]?.name, ...calls.map(({ output }) => output)];
  return (
    inputs.length === 1 &&
    calls.length === layers.length &&
    calls.every(
      (call, at) =>
        call.layer === layers[at]?.name && call.inputs.length === 1 && call.inputs[0] === values[at],
    ) &&
    outputs.length === 1 &&
    outputs[0] === values.at(-1)
  );
}

/** The layer of a call. */
export function layerOfCall({ layers }: ModelDescription, { layer }: LayerCall): Layer {
  const found = layers.find(({ name }) => name === layer);
  if (found === undefined) throw new Error(`a call of ${layer}, which is no layer`);
  return found;
}

/** The layer whose output is a model's output; undefined where an input is. */
export function lastLayer(description: ModelDescription, at = 0): Layer | undefined {
  const call = description.calls.find(({ output }) => output === description.outputs[at]);
  return call === undefined ? undefined : layerOfCall(description, call);
}

/** The names of a model's inputs, as Keras has them where it exports one: of a Sequential its first layer's with `_input`. */
export function inputNames(description: ModelDescription): readonly string[] {
  const { inputs, layers, name } = description;
  const isSequential = isChain(description) && inputs[0]?.name === CHAIN_INPUT;
  return isSequential ? [`${layers[0]?.name ?? name}_input`] : inputs.map((input) => input.name);
}

/** The names of a model's outputs, as Keras has them: those of the layers that they come from. */
export function outputNames({ calls, outputs }: ModelDescription): readonly string[] {
  const names = outputs.map((value) => calls.find(({ output }) => output === value)?.layer ?? value);
  return names.map((name, at) => {
    const earlier = names.slice(0, at).filter((each) => each === name).length;
    return numbered(name, earlier);
  });
}

/** As Keras tells those apart that would have the same name: `dense`, `dense_1`. */
export const numbered = (name: string, earlier: number): string =>
  earlier === 0 ? name : `${name}_${earlier}`;

/** Builds an ONNX graph node by node; tensors are known by their names. */
import { sizeOf } from '../../core/weights.js';

/** A node attribute: whole numbers are INT, lists INTS, strings STRING; a FLOAT and a GRAPH are wrapped. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: Graph };

/** The element types that our graphs use. */
export type ElementType = 'float32' | 'uint8' | 'int32' | 'int64' | 'bool' | 'uint32';

/** One application of an operator of ONNX. */
export interface GraphNode {
  readonly type: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant tensor; `bytes` are its little-endian elements. */
export interface GraphConstant {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A graph input or output; a string extent is symbolic (the batch axis). */
export interface GraphValue {
  readonly name: string;
  readonly type: ElementType;
  /** Left out where an inner graph leaves it to be inferred. */
  readonly shape?: readonly (number | string)[];
}

/** A whole graph, nodes in topological order. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly GraphConstant[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

/** ONNX Runtime's own operators on images whose channels are in blocks (see `Layout` in `primitives/value.ts`). */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** The name of a tensor in the graph under construction. */
export type Tensor = string;

type ConstantValues = Float32Array | Int32Array | Uint32Array | Uint8Array | BigInt64Array;

/** Collects inputs, constants, nodes and outputs; names are made up where none is given. */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #constants = new Map<string, GraphConstant>();
  readonly #inputs: GraphValue[] = [];
  readonly #outputs: GraphValue[] = [];
  /** The graph that this one is inside of. */
  readonly #outer: GraphBuilder | undefined;
  #count = 0;

  constructor(outer?: GraphBuilder) {
    this.#outer = outer;
  }

  /** A graph for an operator of this one that runs it; its nodes may use tensors of this one, too. */
  inner(): GraphBuilder {
    return new GraphBuilder(this);
  }

  /** A name that no other tensor has, in this graph and in those around it and inside. */
  unique(prefix: string): Tensor {
    return this.#outer?.unique(prefix) ?? `${prefix}_${this.#count++}`;
  }

  input(name: string, type: ElementType, shape: readonly (number | string)[]): Tensor {
    this.#inputs.push({ name, type, shape });
    return name;
  }

  /** Gives `tensor` out under `name`. */
  output(name: string, tensor: Tensor, value: Omit<GraphValue, 'name'>): void {
    this.#nodes.push({ type: 'Identity', domain: '', inputs: [tensor], outputs: [name], attributes: {} });
    this.#outputs.push({ name, ...value });
  }

  /** Applies an operator with one output. */
  op(type: string, inputs: readonly Tensor[], attributes: Readonly<Record<string, Attribute>> = {}): Tensor {
    return this.opWithOutputs(type, { inputs, attributes, outputs: 1 })[0] as Tensor;
  }

  /** Applies one of ONNX Runtime's operators on blocked images. */
  blockedOp(
    type: string,
    inputs: readonly Tensor[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Tensor {
    return this.opWithOutputs(type, { inputs, attributes, outputs: 1, domain: BLOCKED_DOMAIN })[0] as Tensor;
  }

  /** Applies an operator with several outputs. */
  opWithOutputs(
    type: string,
    options: {
      readonly inputs: readonly Tensor[];
      readonly attributes?: Readonly<Record<string, Attribute>>;
      readonly outputs: number;
      readonly domain?: string;
    },
  ): readonly Tensor[] {
    const outputs = Array.from({ length: options.outputs }, () => this.unique(type));
    this.#nodes.push({
      type,
      domain: options.domain ?? '',
      inputs: options.inputs,
      outputs,
      attributes: options.attributes ?? {},
    });
    return outputs;
  }

  /** Those so far, in order. */
  get nodes(): readonly GraphNode[] {
    return this.#nodes;
  }

  /** Adds a node as it stands; its lists may still grow. */
  node(node: GraphNode): void {
    this.#nodes.push(node);
  }

  /** A constant tensor; one that is given a name keeps it. */
  constant(values: ConstantValues, shape: readonly number[] = [values.length], given?: string): Tensor {
    if (this.#outer !== undefined) return this.#outer.constant(values, shape, given);
    if (sizeOf(shape) !== values.length) throw new RangeError(`${values.length} values for shape [${shape}]`);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const type = elementTypeOf(values);
    // Small constants (axes, shapes, scalars) recur in every layer: one of each is enough.
    const name =
      given !== undefined
        ? this.#free(given)
        : bytes.length <= 64
          ? `const_${type}_${shape.join('x')}_${Buffer.from(bytes).toString('hex')}`
          : this.unique('const');
    this.#constants.set(name, { name, type, shape, bytes });
    return name;
  }

  #free(name: string): string {
    return this.#constants.has(name) ? this.unique(name) : name;
  }

  /** A float scalar. */
  scalar(value: number): Tensor {
    return this.constant(Float32Array.of(value), []);
  }

  /** A list of int64, as operators take axes and shapes. */
  integers(...values: readonly number[]): Tensor {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  /** Reshapes; -1 stands for the batch axis or what is left. */
  reshape(tensor: Tensor, ...shape: readonly number[]): Tensor {
    return this.op('Reshape', [tensor, this.integers(...shape)]);
  }

  transpose(tensor: Tensor, ...perm: readonly number[]): Tensor {
    return this.op('Transpose', [tensor], { perm });
  }

  /** Sums over `axes`, dropping them. */
  sum(tensor: Tensor, ...axes: readonly number[]): Tensor {
    return this.op('ReduceSum', [tensor, this.integers(...axes)], { keepdims: 0 });
  }

  /** All that was collected. */
  build(): Graph {
    const nodes = this.#renamed();
    const read = new Set(nodes.flatMap((node) => [...node.inputs, ...readInside(node)]));
    return {
      nodes,
      // ONNX Runtime tells whoever loads a file of every one that nothing reads.
      constants: [...this.#constants.values()].filter(({ name }) => read.has(name)),
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  /** The nodes, those that make an output under its name: one under another name is copied where others read it, too. */
  #renamed(): readonly GraphNode[] {
    const made = new Set(this.#nodes.flatMap(({ outputs }) => outputs));
    const inside = new Set(this.#nodes.flatMap(readInside));
    const names = new Map<Tensor, string>();
    const isGivenOut = new Set(this.#outputs.map(({ name }) => name));
    const nodes = this.#nodes.filter(({ type, inputs: [tensor = ''], outputs: [name = ''] }) => {
      const isOutput = type === 'Identity' && isGivenOut.has(name);
      const isFree = made.has(tensor) && !inside.has(tensor) && !names.has(tensor) && !isGivenOut.has(tensor);
      if (isOutput && isFree) names.set(tensor, name);
      return !isOutput || !isFree;
    });
    const renamed = (tensors: readonly Tensor[]) => tensors.map((tensor) => names.get(tensor) ?? tensor);
    return nodes.map((node) => ({ ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) }));
  }
}

/** What the graphs inside of a node read. */
function readInside({ attributes }: GraphNode): readonly Tensor[] {
  return Object.values(attributes).flatMap((value) =>
    typeof value === 'object' && 'graph' in value
      ? [
          ...value.graph.nodes.flatMap((node) => [...node.inputs, ...readInside(node)]),
          ...value.graph.outputs.map(({ name }) => name),
        ]
      : [],
  );
}

function elementTypeOf(values: ConstantValues): ElementType {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Uint32Array) return 'uint32';
  return values instanceof BigInt64Array ? 'int64' : 'uint8';
}

/** A Scan of ONNX under construction: an inner graph that runs once for each element of sequences. */
import type {
  ElementType,
  Graph,
  GraphBuilder,
  GraphNode,
  GraphValue,
  Tensor,
} from '../graph/graph-builder.js';

/** What a step carries on to the next one. */
interface Carried {
  /** Its name in the inner graph, before and after a step. */
  readonly before: Tensor;
  readonly after: Tensor;
  /** Before the first step. */
  readonly initial: Tensor;
}

/** A sequence `[t, …]`, and the name of its element in the inner graph. */
interface ReadSequence {
  readonly element: Tensor;
  readonly sequence: Tensor;
  readonly type?: ElementType;
}

/** Settings of a {@link Scan}. */
interface ScanOptions {
  /** Of the inner graph, in order. */
  readonly nodes: readonly GraphNode[];
  readonly carried: readonly Carried[];
  readonly read: readonly ReadSequence[];
  /** From the last element to the first; what is given out lies in the order of the elements all the same. */
  readonly isReverse: boolean;
}

/** Runs nodes for each element of sequences. */
export class Scan {
  /** What is carried on, after the last step. */
  readonly last: readonly Tensor[];
  readonly #outer: GraphBuilder;
  readonly #inner: GraphBuilder;
  readonly #body: Graph & { readonly nodes: GraphNode[]; readonly outputs: GraphValue[] };
  readonly #outputs: Tensor[];
  readonly #directions: number[] = [];
  readonly #isReverse: boolean;
  /** The sequence of a tensor of each step. */
  readonly #sequences = new Map<Tensor, Tensor>();

  constructor(outer: GraphBuilder, inner: GraphBuilder, { nodes, carried, read, isReverse }: ScanOptions) {
    this.#outer = outer;
    this.#inner = inner;
    this.#isReverse = isReverse;
    this.#body = {
      nodes: [...nodes],
      constants: [],
      inputs: [
        ...carried.map(({ before }) => ({ name: before, type: 'float32' as const })),
        ...read.map(({ element, type = 'float32' }) => ({ name: element, type })),
      ],
      outputs: [],
    };
    for (const { after } of carried) this.#giveOut(after);
    for (const { element, sequence } of read) this.#sequences.set(element, sequence);
    this.last = carried.map(() => outer.unique('Scan'));
    this.#outputs = [...this.last];
    outer.node({
      type: 'Scan',
      domain: '',
      inputs: [...carried.map(({ initial }) => initial), ...read.map(({ sequence }) => sequence)],
      outputs: this.#outputs,
      attributes: {
        body: { graph: this.#body },
        num_scan_inputs: read.length,
        scan_input_directions: read.map(() => (isReverse ? 1 : 0)),
        scan_output_directions: this.#directions,
      },
    });
  }

  /** A tensor of the inner graph at all steps, `[t, …]`. */
  collect(tensor: Tensor): Tensor {
    const known = this.#sequences.get(tensor);
    if (known !== undefined) return known;
    this.#giveOut(tensor);
    const sequence = this.#outer.unique('Scan');
    this.#outputs.push(sequence);
    this.#directions.push(this.#isReverse ? 1 : 0);
    this.#sequences.set(tensor, sequence);
    return sequence;
  }

  /** Whether a step reads or makes a tensor. */
  knows(tensor: Tensor): boolean {
    const { inputs, nodes } = this.#body;
    return (
      inputs.some(({ name }) => name === tensor) || nodes.some(({ outputs }) => outputs.includes(tensor))
    );
  }

  #giveOut(tensor: Tensor): void {
    const { inputs, nodes, outputs } = this.#body;
    const isTaken = [...inputs, ...outputs].some(({ name }) => name === tensor);
    const name = isTaken ? this.#inner.unique(tensor) : tensor;
    if (isTaken)
      nodes.push({ type: 'Identity', domain: '', inputs: [tensor], outputs: [name], attributes: {} });
    outputs.push({ name, type: 'float32' });
  }
}

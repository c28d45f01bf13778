/** What the layers of a functional Keras model are called on: `inbound_nodes`, in the dialects of Keras 1, 2 and 3. */
import { ModelError } from '../../core/errors.js';
import { asKerasObject, quote } from './keras-settings.js';

/** A tensor: the layer that makes it, in which of its calls, and which of the outputs of that. */
export interface ValuePlace {
  readonly layer: string;
  readonly node: number;
  readonly tensor: number;
}

/** One call of a layer. */
export interface InboundNode {
  readonly inputs: readonly ValuePlace[];
}

/** Tensors by which Keras tells layers to leave steps out; here layers know that themselves. */
const MASK = 'mask';

/** The calls of a layer. @throws {ModelError} for arguments of a call that are not known */
export function inboundNodes(nodes: unknown, where: string): readonly InboundNode[] {
  if (!Array.isArray(nodes))
    throw new ModelError(`${where}: inbound_nodes ${quote(nodes)} are not supported`);
  return nodes.map((node: unknown) => ({ inputs: nodeInputs(node, where) }));
}

function nodeInputs(node: unknown, where: string): readonly ValuePlace[] {
  if (Array.isArray(node)) {
    // Keras 1 and 2: [name, node, tensor] or [name, node, tensor, keyword arguments] of each.
    const listed: readonly unknown[] = typeof node[0] === 'string' ? [node] : node;
    return listed.flatMap((each) => {
      const place = placeOf(each);
      if (place === undefined)
        throw new ModelError(`${where}: is called on ${quote(each)}, which is not supported`);
      return [place, ...keywordInputs((each as readonly unknown[])[3] ?? {}, where)];
    });
  }
  const { args, kwargs } = (node ?? {}) as { readonly args?: unknown; readonly kwargs?: unknown };
  if (!Array.isArray(args))
    throw new ModelError(`${where}: is called on ${quote(node)}, which is not supported`);
  const inputs = args.flat().map((each: unknown) => {
    const place = placeOf(each);
    if (place === undefined)
      throw new ModelError(`${where}: is called on ${quote(each)}, which is not supported`);
    return place;
  });
  return [...inputs, ...keywordInputs(kwargs ?? {}, where)];
}

function keywordInputs(keywords: unknown, where: string): readonly ValuePlace[] {
  return Object.entries(keywords as object).flatMap(([key, value]: [string, unknown]) => {
    if (key === MASK || value === null || value === false) return [];
    const place = placeOf(value);
    if (place !== undefined) return [place];
    throw new ModelError(`${where}: is called with ${key} ${quote(value)}, which is not supported`);
  });
}

/** A tensor as Keras 1 and 2 write it, `["dense", 0, 0]`, or as Keras 3 does. */
function placeOf(value: unknown): ValuePlace | undefined {
  const object = asKerasObject(value);
  const listed = object?.class_name === '__keras_tensor__' ? object.config.keras_history : value;
  if (!Array.isArray(listed)) return undefined;
  const [layer, node, tensor]: readonly unknown[] = listed;
  return typeof layer === 'string' && typeof node === 'number' && typeof tensor === 'number'
    ? { layer, node, tensor }
    : undefined;
}

/** Tensors in a list, a list in a list, or under names. */
export function valuePlaces(value: unknown): readonly ValuePlace[] {
  const place = placeOf(value);
  if (place !== undefined) return [place];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(valuePlaces) : [];
}

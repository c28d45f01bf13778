/** Encodes an ONNX model: the part of onnx.proto (IR version 10) that our graphs use. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

import {
  type Attribute,
  BLOCKED_DOMAIN,
  type ElementType,
  type Graph,
  type GraphConstant,
  type GraphNode,
  type GraphValue,
} from '../../../model/graph/graph-builder.js';

/** TensorProto.DataType of the element types. */
const DATA_TYPES: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  uint32: 12,
};

const IR_VERSION = 10;
/** Newest operator set whose operators ONNX Runtime 1.30 implements on all our backends; 18 brought the bitwise ones. */
const OPSET_VERSION = 20;
const MICROSOFT_OPSET_VERSION = 1;

/** What a model says of itself to whoever opens its file. */
interface FileFacts {
  /** Of the program that wrote it. */
  readonly producerVersion?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The bytes of a ModelProto that holds `graph`. */
export function encodeOnnxModel(
  graph: Graph,
  { producerVersion, metadata = {} }: FileFacts = {},
): Uint8Array {
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(IR_VERSION);
  text(model, 2, 'fedbatch');
  if (producerVersion !== undefined) text(model, 3, producerVersion);
  message(model, 7, (writer) => writeGraph(writer, graph));
  const isBlocked = nodesOf(graph).some(({ domain }) => domain === BLOCKED_DOMAIN);
  for (const [domain, version] of [
    ['', OPSET_VERSION],
    // Other runtimes refuse operators of a domain that they do not know, used or not.
    ...(isBlocked ? [[BLOCKED_DOMAIN, MICROSOFT_OPSET_VERSION] as const] : []),
  ] as const) {
    message(model, 8, (writer) => {
      text(writer, 1, domain);
      writer.tag(2, WireType.Varint).int64(version);
    });
  }
  for (const [key, value] of Object.entries(metadata)) {
    message(model, 14, (writer) => {
      text(writer, 1, key);
      text(writer, 2, value);
    });
  }
  return model.finish();
}

/** The nodes of a graph, and of the graphs inside of them. */
function nodesOf(graph: Graph): readonly GraphNode[] {
  return graph.nodes.flatMap((node) => [
    node,
    ...Object.values(node.attributes).flatMap((value) =>
      typeof value === 'object' && 'graph' in value ? nodesOf(value.graph) : [],
    ),
  ]);
}

function writeGraph(writer: BinaryWriter, graph: Graph): void {
  for (const node of graph.nodes) message(writer, 1, (inner) => writeNode(inner, node));
  text(writer, 2, 'fedbatch');
  for (const constant of graph.constants) message(writer, 5, (inner) => writeConstant(inner, constant));
  for (const value of graph.inputs) message(writer, 11, (inner) => writeValue(inner, value));
  for (const value of graph.outputs) message(writer, 12, (inner) => writeValue(inner, value));
}

function writeNode(writer: BinaryWriter, node: GraphNode): void {
  for (const input of node.inputs) text(writer, 1, input);
  for (const output of node.outputs) text(writer, 2, output);
  text(writer, 3, `${node.type}:${node.outputs[0] ?? ''}`);
  text(writer, 4, node.type);
  for (const [name, value] of Object.entries(node.attributes)) {
    message(writer, 5, (inner) => writeAttribute(inner, name, value));
  }
  if (node.domain !== '') text(writer, 7, node.domain);
}

/** AttributeProto.AttributeType */
const AttributeKind = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): void {
  text(writer, 1, name);
  const kind = (type: number) => writer.tag(20, WireType.Varint).int32(type);
  if (typeof value === 'number') {
    writer.tag(3, WireType.Varint).int64(value);
    kind(AttributeKind.int);
  } else if (typeof value === 'string') {
    text(writer, 4, value);
    kind(AttributeKind.string);
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    kind(AttributeKind.float);
  } else if ('graph' in value) {
    message(writer, 6, (inner) => writeGraph(inner, value.graph));
    kind(AttributeKind.graph);
  } else {
    for (const item of value) writer.tag(8, WireType.Varint).int64(item);
    kind(AttributeKind.ints);
  }
}

function writeConstant(writer: BinaryWriter, constant: GraphConstant): void {
  for (const extent of constant.shape) writer.tag(1, WireType.Varint).int64(extent);
  writer.tag(2, WireType.Varint).int32(DATA_TYPES[constant.type]);
  text(writer, 8, constant.name);
  writer.tag(9, WireType.LengthDelimited).bytes(constant.bytes);
}

function writeValue(writer: BinaryWriter, value: GraphValue): void {
  text(writer, 1, value.name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(DATA_TYPES[value.type]);
      const { shape: extents } = value;
      if (extents === undefined) return;
      message(tensor, 2, (shape) => {
        for (const extent of extents) {
          message(shape, 1, (dimension) => {
            if (typeof extent === 'string') text(dimension, 2, extent);
            else dimension.tag(1, WireType.Varint).int64(extent);
          });
        }
      });
    }),
  );
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

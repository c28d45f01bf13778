/** Encodes an ONNX model: the part of onnx.proto (IR version 10) that our graphs use. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** TensorProto.DataType of the element types that our graphs use. */
export const ElementType = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, uint32: 12 } as const;
export type ElementType = keyof typeof ElementType;

/** A node attribute: whole numbers are INT, lists INTS, strings STRING; a FLOAT is wrapped. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

/** One operator application. */
export interface OnnxNode {
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant tensor; `bytes` are its little-endian elements. */
export interface OnnxConstant {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A graph input or output; a string extent is symbolic (the batch axis). */
export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

/** A whole graph, nodes in topological order. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

const IR_VERSION = 10;
/** Newest operator set whose operators ONNX Runtime 1.30 implements on all our backends; 18 brought the bitwise ones. */
const OPSET_VERSION = 20;
const MICROSOFT_OPSET_VERSION = 1;

/** ONNX Runtime's own operators on images whose channels are in blocks (`lib/engine/onnx/blocked/`). */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** The bytes of a ModelProto that holds `graph`. */
export function encodeOnnxModel(graph: OnnxGraph): Uint8Array {
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(IR_VERSION);
  text(model, 2, 'fedbatch');
  message(model, 7, (writer) => writeGraph(writer, graph));
  for (const [domain, version] of [
    ['', OPSET_VERSION],
    [BLOCKED_DOMAIN, MICROSOFT_OPSET_VERSION],
  ] as const) {
    message(model, 8, (writer) => {
      text(writer, 1, domain);
      writer.tag(2, WireType.Varint).int64(version);
    });
  }
  return model.finish();
}

function writeGraph(writer: BinaryWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message(writer, 1, (inner) => writeNode(inner, node));
  text(writer, 2, 'fedbatch');
  for (const constant of graph.constants) message(writer, 5, (inner) => writeConstant(inner, constant));
  for (const value of graph.inputs) message(writer, 11, (inner) => writeValue(inner, value));
  for (const value of graph.outputs) message(writer, 12, (inner) => writeValue(inner, value));
}

function writeNode(writer: BinaryWriter, node: OnnxNode): void {
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
const AttributeKind = { float: 1, int: 2, string: 3, ints: 7 } as const;

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
  } else {
    for (const item of value) writer.tag(8, WireType.Varint).int64(item);
    kind(AttributeKind.ints);
  }
}

function writeConstant(writer: BinaryWriter, constant: OnnxConstant): void {
  for (const extent of constant.shape) writer.tag(1, WireType.Varint).int64(extent);
  writer.tag(2, WireType.Varint).int32(ElementType[constant.type]);
  text(writer, 8, constant.name);
  writer.tag(9, WireType.LengthDelimited).bytes(constant.bytes);
}

function writeValue(writer: BinaryWriter, value: OnnxValue): void {
  text(writer, 1, value.name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(ElementType[value.type]);
      message(tensor, 2, (shape) => {
        for (const extent of value.shape) {
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

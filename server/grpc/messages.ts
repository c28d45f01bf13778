/** The messages of the gRPC API as they arrive and leave, and their definitions, read from the .proto files beside. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import type * as protoLoader from '@grpc/proto-loader';
import type { MessageTypeDefinition, PackageDefinition } from '@grpc/proto-loader';

/** A tensor. Absent fields are left out. */
export interface TensorProto {
  readonly dtype?: number;
  readonly tensor_shape?: {
    readonly dim?: readonly { readonly size?: number }[];
    readonly unknown_rank?: boolean;
  };
  readonly tensor_content?: Uint8Array;
  readonly float_val?: readonly number[];
  readonly double_val?: readonly number[];
  readonly int_val?: readonly number[];
  readonly string_val?: readonly Uint8Array[];
  readonly int64_val?: readonly number[];
  readonly uint32_val?: readonly number[];
  readonly uint64_val?: readonly number[];
}

/** Which model, version and signature is meant. */
export interface ModelSpec {
  readonly name?: string;
  readonly version?: { readonly value?: number };
  readonly version_label?: string;
  readonly signature_name?: string;
}

/** Tensors under the names of a signature's inputs. */
export interface PredictRequest {
  readonly model_spec?: ModelSpec;
  readonly inputs?: Readonly<Record<string, TensorProto>>;
  readonly output_filter?: readonly string[];
}

/** Tensors under the names of a signature's outputs. */
export interface PredictResponse {
  readonly model_spec?: ModelSpec;
  readonly outputs?: Readonly<Record<string, TensorProto>>;
}

/** Facts that are asked for: `signature_def` is the only kind. */
export interface MetadataRequest {
  readonly model_spec?: ModelSpec;
  readonly metadata_field?: readonly string[];
}

/** A request about all versions of a model, or one. */
export interface StatusRequest {
  readonly model_spec?: ModelSpec;
}

const DIRECTORY = fileURLToPath(new URL('./proto/', import.meta.url));

let loaded: PackageDefinition | undefined;

/** All of the files. Loaded when they are first asked for: a server without gRPC starts without the package. */
function definitions(): PackageDefinition {
  const { loadSync } = createRequire(import.meta.url)('@grpc/proto-loader') as typeof protoLoader;
  loaded ??= loadSync(['serving.proto', 'health.proto'], {
    includeDirs: [DIRECTORY],
    keepCase: true,
    longs: Number,
  });
  return loaded;
}

/** A service of the .proto files by its full name. */
export function serviceDefinition(name: string): ServiceDefinition {
  const found = definitions()[name];
  if (found === undefined || 'format' in found) throw new Error(`no service ${name} in ${DIRECTORY}`);
  return found;
}

/** A signature as `GetModelMetadata` packs it. */
interface SignatureDef {
  readonly inputs?: Readonly<Record<string, Pick<TensorProto, 'tensor_shape'>>>;
  readonly outputs?: Readonly<Record<string, Pick<TensorProto, 'tensor_shape'>>>;
}

/** Unpacks the text out of the bytes of a `StringValue`. */
export function readText(bytes: Uint8Array): string {
  const type = definitions()['google.protobuf.StringValue'] as MessageTypeDefinition<object, object>;
  return (type.deserialize(Buffer.from(bytes)) as { readonly value?: string }).value ?? '';
}

/** Unpacks the signatures out of the bytes of a `SignatureDefMap`. */
export function readSignatures(bytes: Uint8Array): Readonly<Record<string, SignatureDef>> {
  const type = definitions()['tensorflow.serving.SignatureDefMap'] as MessageTypeDefinition<object, object>;
  const { signature_def: signatures = {} } = type.deserialize(Buffer.from(bytes)) as {
    readonly signature_def?: Readonly<Record<string, SignatureDef>>;
  };
  return signatures;
}

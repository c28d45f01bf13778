/** The messages of the gRPC API as they arrive and leave, and their definitions, read from the .proto files beside. */
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

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

const definitions = loadSync(['serving.proto', 'health.proto'], {
  includeDirs: [DIRECTORY],
  keepCase: true,
  longs: Number,
});

/** A service of the .proto files by its full name. */
export function serviceDefinition(name: string): ServiceDefinition {
  const found = definitions[name];
  if (found === undefined || 'format' in found) throw new Error(`no service ${name} in ${DIRECTORY}`);
  return found;
}

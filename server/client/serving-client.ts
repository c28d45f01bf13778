/** What a client of TensorFlow Serving can ask, by whichever protocol. */
import { StageError } from '../../lib/core/errors.js';

/** Which server, and which model on it. */
export interface ServingClientOptions {
  readonly host: string;
  readonly port: number;
  readonly model: string;
  readonly signatureName: string;
  readonly tls?: boolean;
  /** A bearer token. */
  readonly token?: string;
  readonly signal: AbortSignal;
}

/** A model's input and output. */
interface Signature {
  readonly input: string;
  readonly output: string;
  /** Of the input, `[-1, h, w, c]`. */
  readonly shape: readonly number[];
  /** Which numbers are black and white in the input, where the server says so. */
  readonly scale?: string | undefined;
}

/** A client; what it throws is a {@link StageError} that says what the server said. */
export interface ServingClient {
  signature(): Promise<Signature>;
  /** Probabilities of one image. */
  predict(values: Float32Array, signature: Signature): Promise<readonly number[]>;
  close(): void;
}

/** A failure of the server, or on the way to it. */
export function serverFailure(address: string, reason: string, cause?: unknown): StageError {
  return new StageError('predict', `${address}: ${reason.replace(/\.$/, '')}.`, { cause });
}

/** The model is there, and has no signature of this name. */
export function noSignature(address: string, name: string, others: readonly string[]): StageError {
  return serverFailure(
    address,
    `the model has no signature ${name}; it has ${others.join(' and ') || 'none'}`,
  );
}

/** Something answers at the port, and it does not speak the protocol that it was asked by. */
export class OtherProtocolError extends StageError {}

/** The signature's only input and output, with the shape of the input. */
export function onlySignature(
  address: string,
  inputs: Readonly<Record<string, readonly number[]>>,
  outputs: readonly string[],
): Omit<Signature, 'scale'> {
  const [input, ...others] = Object.entries(inputs);
  const [output] = outputs;
  if (input === undefined || output === undefined || others.length > 0 || outputs.length > 1)
    throw serverFailure(address, 'expected a model of one input and one output');
  return { input: input[0], shape: input[1], output };
}

/** A client of TensorFlow Serving's gRPC API. */
import { credentials, Metadata, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { own } from '../../lib/core/own.js';
import { ANSWERS_FIELD, SCALE_FIELD } from '../api/tensorflow-rest.js';
import { DT_FLOAT } from '../codecs/predict-message.js';
import { type PredictResponse, readSignatures, readText, serviceDefinition } from '../grpc/messages.js';
import { SIGNATURE_FIELD } from '../grpc/prediction-service.js';
import {
  noSignature,
  OtherProtocolError,
  type ServingClient,
  type ServingClientOptions,
  serverFailure,
} from './serving-client.js';

const SERVICE = 'tensorflow.serving.PredictionService';
const DEADLINE_MS = 30_000;

interface MetadataResponse {
  readonly metadata?: Readonly<Record<string, { readonly value?: Uint8Array }>>;
}

/** Makes a client. */
export function askByGrpc(options: ServingClientOptions): ServingClient {
  const { host, port, model, signatureName, tls = false, token, signal } = options;
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const Service = makeClientConstructor(serviceDefinition(SERVICE), SERVICE);
  const client = new Service(address, tls ? credentials.createSsl() : credentials.createInsecure());
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const spec = { name: model, signature_name: signatureName };

  function call<Answer>(method: 'Predict' | 'GetModelMetadata', message: object): Promise<Answer> {
    const definition = serviceDefinition(SERVICE)[method];
    if (definition === undefined) throw new Error(`no method ${method}`);
    let cancel = () => {};
    const answer = new Promise<Answer>((resolve, reject) => {
      const running = client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        (bytes: Buffer) => definition.responseDeserialize(bytes) as Answer,
        message,
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error: ServiceError | null, answer?: Answer) => {
          if (error === null && answer !== undefined) return resolve(answer);
          if (signal.aborted) return reject(signal.reason);
          reject(failureOf(address, error));
        },
      );
      cancel = () => running.cancel();
      signal.addEventListener('abort', cancel, { once: true });
    });
    return answer.finally(() => signal.removeEventListener('abort', cancel));
  }

  return {
    async signature() {
      const request = { model_spec: { name: model }, metadata_field: [SIGNATURE_FIELD] };
      const { metadata: facts = {} } = await call<MetadataResponse>('GetModelMetadata', request);
      const signatures = readSignatures(facts[SIGNATURE_FIELD]?.value ?? new Uint8Array(0));
      const found = own(signatures, signatureName);
      if (found === undefined) throw noSignature(address, signatureName, Object.keys(signatures));
      const shapes = Object.entries(found.inputs ?? {}).map(([name, { tensor_shape: shape }]) => [
        name,
        (shape?.dim ?? []).map(({ size = 0 }) => size),
      ]);
      const text = (field: string) => {
        const value = own(facts, field)?.value;
        return value && readText(value);
      };
      return {
        inputs: Object.fromEntries(shapes),
        outputs: Object.keys(found.outputs ?? {}),
        scale: text(SCALE_FIELD),
        answers: text(ANSWERS_FIELD),
      };
    },
    async predict(given) {
      const inputs = Object.entries(given).map(([name, { values, shape }]) => {
        const tensor = {
          dtype: DT_FLOAT,
          tensor_shape: { dim: shape.map((size) => ({ size })) },
          tensor_content: Buffer.from(values.buffer, values.byteOffset, values.byteLength),
        };
        return [name, tensor] as const;
      });
      const { outputs = {} } = await call<PredictResponse>('Predict', {
        model_spec: spec,
        inputs: Object.fromEntries(inputs),
      });
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { float_val: values = [] }]) => [name, values]),
      );
    },
    close: () => client.close(),
  };
}

/** How the library tells of what answers and speaks no HTTP/2. */
const OTHER_PROTOCOL = /Protocol error|ERR_HTTP2|ALPN|Connection dropped|Connection closed/;

function failureOf(address: string, error: ServiceError | null): Error {
  const { code, details = 'no answer' } = error ?? {};
  if (code !== status.UNAVAILABLE || !OTHER_PROTOCOL.test(details))
    return serverFailure(address, details, error);
  const what = `${address}: what answers there is no gRPC; is it the port of the REST API? Then ask with --protocol rest.`;
  return new OtherProtocolError('predict', what, { cause: error });
}

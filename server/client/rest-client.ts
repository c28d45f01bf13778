/** A client of TensorFlow Serving's REST API. */
import { z } from 'zod';
import { own } from '../../lib/core/own.js';
import { ANSWERS_FIELD, SCALE_FIELD } from '../api/tensorflow-rest.js';
import { nested } from '../codecs/answers.js';
import {
  noSignature,
  OtherProtocolError,
  type ServingClient,
  type ServingClientOptions,
  serverFailure,
} from './serving-client.js';

const metadataSchema = z.object({
  metadata: z.object({
    [SCALE_FIELD]: z.string().optional(),
    [ANSWERS_FIELD]: z.string().optional(),
    signature_def: z.object({
      signature_def: z.record(
        z.string(),
        z.object({
          inputs: z.record(
            z.string(),
            z.object({ tensor_shape: z.object({ dim: z.array(z.object({ size: z.coerce.number() })) }) }),
          ),
          outputs: z.record(z.string(), z.unknown()),
        }),
      ),
    }),
  }),
});
const answerSchema = z.object({ outputs: z.unknown() });

/** How Node's fetch fails where HTTP/2 answers: bytes that are no HTTP/1, or an end; by TLS no common protocol. */
const OTHER_PROTOCOL = /^(HPE_|UND_ERR_SOCKET|ECONNRESET|EPIPE|ERR_SSL_.*NO_APPLICATION_PROTOCOL)/;

/** Makes a client. */
export function askByRest(options: ServingClientOptions): ServingClient {
  const { host, port, model, signatureName, tls = false, token, signal } = options;
  const base = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const path = `/v1/models/${encodeURIComponent(model)}`;
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };

  async function ask<T>(address: string, schema: z.ZodType<T>, body?: string): Promise<T> {
    const init = body === undefined ? { headers } : { headers, method: 'POST', body };
    const response = await fetch(address, { ...init, signal }).catch((cause: unknown) => {
      signal.throwIfAborted();
      const reason = reasonOf(cause);
      if (!OTHER_PROTOCOL.test(reason)) throw serverFailure(base, `no server answers (${reason})`, cause);
      const what = `${base}: what answers there is no HTTP (${reason}); is it a gRPC port? Then ask with --protocol grpc.`;
      throw new OtherProtocolError('predict', what, { cause });
    });
    const text = await response.text();
    const parsed = schema.safeParse(parse(text));
    if (response.ok && parsed.success) return parsed.data;
    const said = z.object({ error: z.string() }).safeParse(parse(text));
    throw serverFailure(
      base,
      said.success ? said.data.error : `answered ${response.status} ${response.statusText}`,
    );
  }

  return {
    async signature() {
      const { metadata } = await ask(`${base}${path}/metadata`, metadataSchema);
      const found = own(metadata.signature_def.signature_def, signatureName);
      if (found === undefined)
        throw noSignature(base, signatureName, Object.keys(metadata.signature_def.signature_def));
      const shapes = Object.entries(found.inputs).map(([name, { tensor_shape: shape }]) => [
        name,
        shape.dim.map(({ size }) => size),
      ]);
      return {
        inputs: Object.fromEntries(shapes),
        outputs: Object.keys(found.outputs),
        scale: metadata[SCALE_FIELD],
        answers: metadata[ANSWERS_FIELD],
      };
    },
    async predict(inputs, signature) {
      const lists = Object.entries(inputs).map(([name, { values, shape }]) => {
        return [name, nested(Array.from(values), shape)] as const;
      });
      const body = JSON.stringify({ signature_name: signatureName, inputs: Object.fromEntries(lists) });
      const { outputs } = await ask(`${base}${path}:predict`, answerSchema, body);
      const [only = '', ...others] = signature.outputs;
      // One output alone comes without its name.
      const byName = others.length === 0 && Array.isArray(outputs) ? { [only]: outputs } : outputs;
      return Object.fromEntries(
        Object.entries(byName as object).map(([name, list]) => [name, [list].flat(Number.POSITIVE_INFINITY)]),
      );
    },
    close() {},
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error as Error;
  const reason = cause instanceof Error ? cause : error;
  if (reason instanceof Error) return 'code' in reason ? String(reason.code) : reason.message;
  return String(reason);
}

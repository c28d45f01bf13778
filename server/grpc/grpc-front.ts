/** What every gRPC call passes before its method: its id, its count, who sent it. As front.ts does for HTTP. */
import type { ServerHttp2Stream } from 'node:http2';
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';
import { chooseRequestId } from '../../lib/http/answers.js';
import { LINGER_MS } from '../../lib/http/listen.js';
import { tooMuch } from '../api/exchange.js';
import type { Room } from '../held-bytes.js';
import { addressBefore, type Guard } from '../operations/guard.js';
import { CLIENT_GONE, type Observer } from '../operations/observer.js';
import { httpStatus, toStatus } from './status.js';

/** What calls are asked on the way, and who is told. */
interface GrpcFrontOptions {
  readonly guard: Guard;
  readonly observe: Observer;
  readonly trustedProxies: number;
  /** How long a client may take for its message, as for a request over HTTP. */
  readonly messageTimeoutMs: number;
  /** Room for the messages, from their first byte to the answer. */
  readonly room: Room;
  readonly maxMessageBytes: number;
}

interface Held {
  readonly address: string;
  readonly onTooMuch: () => void;
}

/** What a call of the library keeps to itself. */
interface CallParts {
  readonly stream: ServerHttp2Stream;
  /** How the client packs its messages; `identity` where it does not. */
  readonly incomingEncoding: string;
}

const partsOf = (call: ServerInterceptingCallInterface) => call as unknown as CallParts;

/** Names a call in its metadata, and in those that end its answer. */
export const REQUEST_ID = 'x-request-id';

/** Whoever looks after the server may ask this at any time. */
const PROBE = '/grpc.health.v1.Health/Check';

/** Makes the front. A call that may not pass is ended before its message is read. */
export function createGrpcFront({
  guard,
  observe,
  trustedProxies,
  messageTimeoutMs,
  room,
  maxMessageBytes,
}: GrpcFrontOptions): ServerInterceptor {
  /** Counts the bytes of a call. What is packed is taken for as large as it may become. */
  function holdMessage(call: ServerInterceptingCallInterface, { address, onTooMuch }: Held): void {
    const { stream, incomingEncoding } = partsOf(call);
    const place = room.open({ address });
    let isRefused = false;
    const take = (bytes: number) => {
      if (isRefused || place.add(bytes)) return;
      isRefused = true;
      place.release();
      onTooMuch();
    };
    stream.once('close', () => place.release());
    if (incomingEncoding !== 'identity') take(maxMessageBytes);
    stream.on('data', (part: Uint8Array) => take(part.length));
  }

  return ({ path }, call) => {
    let late: NodeJS.Timeout | undefined;
    let requestId = '';
    let ended: ReturnType<Observer> | undefined;
    const fronted = new ServerInterceptingCall(call, {
      start: (next) =>
        next(
          new ServerListenerBuilder()
            .withOnReceiveMetadata((metadata, pass) => {
              const address = () =>
                addressBefore(trustedProxies, {
                  direct: call.getConnectionInfo().remoteAddress,
                  forwardedFor: metadata.get('x-forwarded-for').join(','),
                });
              requestId = chooseRequestId(metadata.get(REQUEST_ID)[0]);
              metadata.set(REQUEST_ID, requestId);
              ended = observe({ requestId, method: 'POST', path, route: routeOf(path), address });
              const sender = () => ({
                address: address(),
                authorization: metadata.get('authorization')[0]?.toString(),
              });
              const asked = path === PROBE ? Promise.resolve() : guard(sender);
              late = setTimeout(
                () =>
                  fronted.sendStatus({
                    code: status.DEADLINE_EXCEEDED,
                    details: 'The message took too long.',
                  }),
                messageTimeoutMs,
              );
              const onTooMuch = () => fronted.sendStatus(toStatus(tooMuch()));
              holdMessage(call, { address: address(), onTooMuch });
              asked.then(
                () => pass(metadata),
                (error: unknown) => fronted.sendStatus(toStatus(error)),
              );
            })
            .withOnReceiveMessage((message, pass) => {
              clearTimeout(late);
              pass(message);
            })
            .withOnCancel(() => {
              clearTimeout(late);
              ended?.(CLIENT_GONE);
            })
            .build(),
        ),
      sendStatus: (answer, next) => {
        clearTimeout(late);
        const metadata = answer.metadata ?? new Metadata();
        metadata.set(REQUEST_ID, requestId);
        ended?.(httpStatus(answer.code ?? 0));
        next({ ...answer, metadata });
        // Who goes on sending has time to read it.
        const { stream } = partsOf(call);
        if (!stream.readableEnded) setTimeout(() => stream.close(), LINGER_MS).unref();
      },
    });
    return fronted;
  };
}

/** The method's own name: there are few, and only those that exist come here. */
function routeOf(path: string): string {
  return `grpc:${path.slice(path.lastIndexOf('/') + 1)}`;
}

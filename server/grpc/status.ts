/** Failures as gRPC's status codes, and these as the HTTP statuses that metrics and logs tell. */
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { messageOf } from '../../lib/core/errors.js';
import { HttpProblem, PredictorUnavailableError } from '../../lib/http/problems.js';

const CODES: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  404: status.NOT_FOUND,
  429: status.RESOURCE_EXHAUSTED,
  503: status.UNAVAILABLE,
};

/** As google/rpc/code.proto maps them. */
const HTTP_STATUSES: Readonly<Record<status, number>> = {
  [status.OK]: 200,
  [status.CANCELLED]: 499,
  [status.UNKNOWN]: 500,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.INTERNAL]: 500,
  [status.UNAVAILABLE]: 503,
  [status.DATA_LOSS]: 500,
  [status.UNAUTHENTICATED]: 401,
};

/** The HTTP status that corresponds. */
export function httpStatus(code: status): number {
  return HTTP_STATUSES[code] ?? 500;
}

/** A failure as the status that ends its call. What is the server's own fault is INTERNAL, with its message. */
export function toStatus(error: unknown): StatusObject {
  const details = messageOf(error);
  const metadata = new Metadata();
  if (error instanceof PredictorUnavailableError) return { code: status.UNAVAILABLE, details, metadata };
  if (!(error instanceof HttpProblem)) return { code: status.INTERNAL, details, metadata };
  const retryAfter = error.headers['Retry-After'];
  if (retryAfter !== undefined) metadata.set('retry-after', retryAfter);
  return { code: CODES[error.status] ?? status.INTERNAL, details, metadata };
}

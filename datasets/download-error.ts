/** Why a download failed, and whether trying again may help. */

/** What is known of a failed download. */
interface DownloadFailure {
  /** `network`: nothing or not all came; `refused`: the server said no; `checksum`: it sent something else; `pieces`: what came in pieces does not fit. */
  readonly kind: 'network' | 'refused' | 'checksum' | 'pieces';
  readonly message: string;
  /** Whether the same request may well succeed a little later. */
  readonly transient: boolean;
  /** How long the server asked to wait. */
  readonly retryAfterMs?: number;
}

/** A download that failed; the message is one sentence that names the address. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  readonly failure: DownloadFailure;

  constructor(failure: DownloadFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** Codes of errors about certificates: waiting does not mend those. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|TLS/;

/** The download error that an error of `fetch` amounts to. */
export function fromFetchError(url: string, error: unknown): DownloadError {
  if (error instanceof DownloadError) return error;
  const { message, code } = innermost(error);
  return new DownloadError(
    {
      kind: 'network',
      message: `${url} cannot be reached (${message}).`,
      transient: !CERTIFICATE.test(code),
    },
    { cause: error },
  );
}

/** `fetch` says little more than "fetch failed"; what happened stands in the cause, or in the first of several. */
function innermost(error: unknown): { readonly message: string; readonly code: string } {
  if (!(error instanceof Error)) return { message: String(error), code: '' };
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  if (inner instanceof Error) return innermost(inner);
  const code = 'code' in error ? String(error.code) : '';
  return { message: error.message || code || error.name, code };
}

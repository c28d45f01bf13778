/** An engine or backend that was asked for and does not work here. */
import { ExitCode, FedbatchError } from '../core/errors.js';

/** Says which engine and backend, why not, and what to install or choose instead. */
export class EngineUnavailableError extends FedbatchError {
  override readonly name = 'EngineUnavailableError';
  readonly exitCode = ExitCode.usage;
  /** As in `--engine` and `--backend`, e.g. `tensorflow/node-gpu`. */
  readonly engine: string;
  /** Why not: what to install or choose instead. */
  readonly reason: string;

  constructor(engine: string, reason: string, options?: ErrorOptions) {
    super(`The engine ${engine} is not available: ${reason}`, options);
    this.engine = engine;
    this.reason = reason;
  }
}

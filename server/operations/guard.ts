/** Who may ask, and how often: what every request passes that is no probe. */
import { HttpProblem } from '../problems.js';
import type { Access } from './access.js';
import type { RateLimit } from './rate-limit.js';

/** Who sent a request. */
export interface Sender {
  readonly address: string;
  /** The header of this name. */
  readonly authorization: string | undefined;
}

/** Lets a request pass. @throws {HttpProblem} 429 or 401 where it may not */
export type Guard = (sender: () => Sender) => Promise<void>;

/** Makes a guard. Without a limit, and open to all, it asks for no sender. */
export function createGuard({
  access,
  rateLimit,
}: {
  readonly access: Access;
  readonly rateLimit?: RateLimit | undefined;
}): Guard {
  return async (sender) => {
    if (rateLimit === undefined && access.isOpen) return;
    const { address, authorization } = sender();
    await rateLimit?.count(address);
    if (!access.isOpen && !access.allows(authorization))
      throw new HttpProblem(401, 'Expected credentials, found none that are known.', {
        headers: { 'WWW-Authenticate': access.challenge },
      });
  };
}

/** The name that a request asks a server by: one, and where the server is for this machine alone, a name of this machine. */
import type { IncomingMessage } from 'node:http';
import { UsageError } from '../core/errors.js';
import { HttpProblem } from './problems.js';

/** What every machine calls itself; browsers ask no name server for any of these. */
const OWN_NAMES = /^((.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
/** A message names no longer ones. */
const MOST_CHARACTERS = 100;

/** Names that lead to a server of this machine alone, beside the machine's own. */
export interface AllowedHosts {
  readonly names: readonly string[];
  /** How a user allows one more; what stands here follows it in a message. */
  readonly flag?: string;
}

/**
 * Refuses a request that names several hosts, of which a proxy in front may have believed another one; and, where the server
 * is for this machine alone, one that asks for a foreign name. A page of another site whose name is made to point to this
 * machine could read everything here as its own (DNS rebinding); its browser still names that site.
 *
 * @throws {HttpProblem} 400 or 403
 */
export function requireHost({ headers, rawHeaders }: IncomingMessage, allowed?: AllowedHosts): void {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (isHost(rawHeaders[at])) count++;
  if (count > 1) throw new HttpProblem(400, `Expected one Host header, found ${count}.`);
  if (allowed === undefined) return;
  // Every browser sends one.
  if (headers.host === undefined) return;
  const given = headers.host.slice(0, MOST_CHARACTERS);
  const name = hostName(given);
  if (name !== undefined && (OWN_NAMES.test(name) || allowed.names.includes(name))) return;
  const hint = allowed.flag === undefined || name === undefined ? '' : ` (${allowed.flag} ${name} allows it)`;
  throw new HttpProblem(
    403,
    `Ask for localhost or 127.0.0.1, not for ${given}: this server is for this machine alone${hint}.`,
  );
}

/** Reads the names that a user allows. @throws {UsageError} for what is no name of a host */
export function readHosts(names: readonly string[], flag: string): AllowedHosts {
  const read = names.map((text) => {
    const name = hostName(text);
    if (name === undefined || text.includes('/') || /:\d+$/.test(text))
      throw new UsageError(
        `${flag}: expected a host's name without port, e.g. box.example.org, found ${text}.`,
      );
    return name;
  });
  return { names: read, flag };
}

function isHost(header: string | undefined): boolean {
  return header?.length === 4 && header.toLowerCase() === 'host';
}

/** The name in a Host header as addresses have it: in small letters, without port and last dot. */
function hostName(given: string): string | undefined {
  if (!URL.canParse(`http://${given}`)) return undefined;
  return new URL(`http://${given}`).hostname.replace(/\.$/, '') || undefined;
}

/** The proxy that the environment names for an address, by the rules of Go's programs, kubectl among them. */
import { BlockList, isIP } from 'node:net';

/** Undefined where none is named, and for addresses of NO_PROXY and of this machine. */
export function proxyOfEnvironment(
  address: string,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const { protocol, hostname, port } = new URL(address);
  const name = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = env[name] || env[name.toLowerCase()];
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (!proxy || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')))
    return undefined;
  const exceptions = (env.NO_PROXY || env.no_proxy || '').split(',').map((each) => each.trim().toLowerCase());
  const at = port || (protocol === 'https:' ? '443' : '80');
  if (exceptions.some((each) => each !== '' && isMeant(each, { host, port: at }))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** `*`, an address, a range of addresses, or a name with all below it (`.name`: only those); a port where one is given. */
function isMeant(
  exception: string,
  { host, port }: { readonly host: string; readonly port: string },
): boolean {
  if (exception === '*') return true;
  const [network = '', bits] = exception.split('/');
  const family = isIP(network);
  if (bits !== undefined) {
    if (family === 0 || isIP(host) !== family) return false;
    const list = new BlockList();
    const type = family === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(network, Number(bits), type);
    return list.check(host, type);
  }
  const [, name = exception, only] = /^(?:\[?)(.*?)(?:\]?):(\d+)$/.exec(family === 0 ? exception : '') ?? [];
  if (only !== undefined && only !== port) return false;
  const bare = name.replace(/^\*?\./, '');
  return (name === bare && host === bare) || host.endsWith(`.${bare}`);
}

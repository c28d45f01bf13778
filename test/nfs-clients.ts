/** A real NFS server and its clients, inside the system that scripts/test-nfs.sh boots: each client has a network, a name and processes of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { isRunning } from './processes.js';
import type { Finished } from './programs.js';

/** What the server exports, as the root of NFS 4. */
const ROOT = '/mnt/server';
/** Where the server has what clients mount. */
export const SERVED = `${ROOT}/disk`;
/** A second file system, which a few files fill. */
export const SMALL = `${ROOT}/small`;

/** A program that runs on a client. */
export type Running = ReturnType<typeof startOn>;

/** A machine that mounts the server's file systems. */
export interface Client {
  readonly name: string;
  /** How the server and the other clients reach it. */
  readonly address: string;
  /** Runs a program to its end; its failure is a result. */
  run(file: string, args: readonly string[]): Promise<Finished>;
  /** Starts a program. */
  start(file: string, args: readonly string[]): Running;
  /** Mounts what the server has at `served`. */
  mount(served: string, at: string, options: string): Promise<void>;
  /** Ends the machine, as a pulled plug does: none of its programs comes to an end. */
  crash(): Promise<void>;
}

function startOn(pid: number, file: string, args: readonly string[]) {
  const into = ['--target', `${pid}`, '--net', '--uts', '--mount', '--pid', '--'];
  return execa('nsenter', [...into, file, ...args], { reject: false });
}

let machines = 0;

/** Boots a client. */
export async function startClient(name: string): Promise<Client> {
  const number = ++machines;
  const [server, address, link] = [`10.0.${number}.1`, `10.0.${number}.2`, `client${number}`];
  const spaces = ['--net', '--uts', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const keeper = execa('unshare', [...spaces, 'sleep', 'infinity'], { reject: false });
  const pid = await childOf(keeper.pid ?? -1);
  const sh = async (line: string) => {
    const { exitCode, stderr } = await startOn(pid, 'sh', ['-c', line]);
    if (exitCode !== 0) throw new Error(`${name}: ${line}: ${stderr}`);
  };
  await execa('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${pid}`]);
  await execa('ip', ['addr', 'add', `${server}/24`, 'dev', link]);
  await execa('ip', ['link', 'set', link, 'up']);
  await sh(
    `hostname ${name} && ip link set lo up && ip addr add ${address}/24 dev eth0 && ip link set eth0 up`,
  );
  return {
    name,
    address,
    start: (file, args) => startOn(pid, file, args),
    async run(file, args) {
      const { exitCode, stdout, stderr } = await startOn(pid, file, args);
      return { exitCode, stdout, stderr };
    },
    mount(served, at, options) {
      // NFS 3 names directories as the server does, NFS 4 from its root on.
      const source = options.includes('vers=3') ? served : served.replace(ROOT, '');
      return sh(`mkdir -p ${at} && mount.nfs ${server}:${source} ${at} -o ${options},proto=tcp`);
    },
    async crash() {
      // It may be gone already.
      if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      await keeper;
    },
  };
}

/** The process that another one has forked. */
async function childOf(parent: number): Promise<number> {
  for (;;) {
    for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
      if (parentOf(pid) === parent) return pid;
    }
    await sleep(50);
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Stops the server's daemons, and gives back what starts them again; what it served stays, what it knew of clients goes. */
export async function stopServer(): Promise<() => Promise<void>> {
  await execa('rpc.nfsd', ['0']);
  return async () => {
    await execa('rpc.nfsd', ['--grace-time', '10', '--lease-time', '10', '4']);
  };
}

/** Makes the small file system larger, or as small as it was. */
export async function resizeSmall(size: string): Promise<void> {
  await execa('mount', ['-o', `remount,size=${size}`, SMALL]);
}

/** Bytes that are free on the small file system. */
export async function freeOnSmall(): Promise<number> {
  const { bavail, bsize } = await statfs(SMALL);
  return bavail * bsize;
}

/** Path of a compiled program of the tests. */
export const testProgram = (name: string): string =>
  fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url));

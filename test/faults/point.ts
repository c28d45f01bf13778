/** One point of a campaign: disturbed sessions of a job as its seed draws them, one that nothing disturbs, and what must hold. */
import { mkdir, open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode } from '../../lib/core/errors.js';
import { randomStream } from '../../lib/core/random.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { copyState, type Job, type JobName } from './jobs.js';
import {
  endBreaches,
  endingBreaches,
  finishedFiles,
  idleBreaches,
  noiseBreaches,
  repeatedBreaches,
  resultBreaches,
  visibleBreaches,
} from './laws.js';
import { drawJob, drawSchedule, ERRNO_KINDS, type Fault, type Schedule, tellFault } from './schedule.js';
import {
  errnoOf,
  type Halted,
  type Rule,
  runSession,
  type Session,
  type Shim,
  signalGroup,
  signalProcess,
  waitForAll,
} from './session.js';
import { isHidden, readTree, type VolumeTree } from './volume-tree.js';

/** Where points run. */
export interface PointContext {
  readonly shim: Shim;
  readonly directory: string;
  readonly job: (name: JobName) => Promise<Job>;
  readonly stopSeconds: number;
}

/** What a point came to. */
export interface PointResult {
  readonly seed: number;
  readonly job: JobName;
  /** Kinds of its faults, and whether any of them met an operation. */
  readonly faults: readonly string[];
  readonly isStruck: boolean;
  /** In words. */
  readonly schedule: readonly string[];
  /** Exit codes or signals of its sessions. */
  readonly endings: readonly string[];
  readonly breaches: readonly string[];
  /** What the sessions wrote to stderr, of a point that failed. */
  readonly output: string;
}

/** Runs the point of a seed; its files stay where `directory` says until the next point. */
export async function runPoint(seed: number, context: PointContext): Promise<PointResult> {
  const job = await context.job(drawJob(seed));
  const schedule = drawSchedule(seed, job, context.stopSeconds);
  const point = new Point(schedule, job, context);
  await point.run().catch((error: Error) => point.abandon(error));
  return point.result();
}

class Point {
  readonly #schedule: Schedule;
  readonly #job: Job;
  readonly #context: PointContext;
  readonly #volume: string;
  readonly #told: string[] = [];
  readonly #endings: string[] = [];
  readonly #breaches: string[] = [];
  readonly #output: string[] = [];
  /** Files that a fault has damaged, and not the programs. */
  readonly #struck = new Set<string>();
  /** What files were after a bit of them was flipped: by sha256. */
  readonly #damagedBytes = new Set<string>();
  readonly #damages: Fault[] = [];
  #isStruck = false;

  constructor(schedule: Schedule, job: Job, context: PointContext) {
    this.#schedule = schedule;
    this.#job = job;
    this.#context = context;
    this.#volume = join(context.directory, 'volume');
  }

  result(): PointResult {
    const { seed, job, sessions } = this.#schedule;
    return {
      ...{ seed, job, isStruck: this.#isStruck, endings: this.#endings, breaches: this.#breaches },
      faults: [...new Set(sessions.flat().map(({ kind }) => kind))],
      schedule: this.#told,
      output: this.#output.join('\n'),
    };
  }

  /** A fault of the simulator itself is told with its seed, too. */
  abandon(error: Error): void {
    this.#breaches.push(`expected the simulator to come to an end, found ${error.stack}`);
  }

  async run(): Promise<void> {
    const { start, isUnlocked, sessions, isRepeated } = this.#schedule;
    const state = this.#job.starts[start];
    await rm(this.#context.directory, { recursive: true, force: true });
    await mkdir(this.#context.directory, { recursive: true });
    if (state !== undefined) await copyState(state.directory, this.#volume);
    this.#told.push(
      `from state ${start} of ${this.#job.starts.length - 1} (0 is nothing done, the last is all)`,
    );
    if (isUnlocked) await this.#unlock();
    const left: Session[] = [];
    let before = await readTree(this.#volume);
    for (const faults of sessions) {
      const session = await this.#disturbed(faults);
      if (session === undefined) continue;
      left.push(session);
      const after = await readTree(this.#volume);
      if (this.#isRefused(session)) return;
      this.#require(endingBreaches(session, [...faults, ...this.#damages]));
      this.#require(visibleBreaches(after, this.#job, this.#struckIn(after)));
      this.#requireKept(before, after);
      before = after;
    }
    before = await readTree(this.#volume);
    const last = await this.#session('undisturbed', []);
    for (const session of left) await waitForAll(session);
    const after = await readTree(this.#volume);
    if (this.#isRefused(last)) return;
    this.#require(endingBreaches(last, []));
    this.#require(endBreaches(after, this.#job, this.#struck));
    this.#requireKept(before, after);
    if (!isRepeated || this.#breaches.length > 0 || !this.#job.isRun || this.#job.startsOver) return;
    this.#require(endingBreaches(await this.#session('once more', []), []));
    this.#require(idleBreaches(after, await readTree(this.#volume)));
  }

  #require(breaches: readonly string[]): void {
    this.#breaches.push(...breaches);
  }

  /** What was finished stays as it is, unless a fault took it. */
  #requireKept(before: VolumeTree, after: VolumeTree): void {
    if (this.#struck.size > 0 || this.#hasKind('second')) return;
    if (this.#job.isPrivate) this.#require(noiseBreaches(before, after));
    if (this.#job.startsOver || !this.#job.isRun) return;
    this.#require(resultBreaches(after));
    this.#require(repeatedBreaches(finishedFiles(before), before, after));
  }

  /** With the other names of a damaged file: a client's model is its update, a global model may be the best one. */
  #struckIn(tree: VolumeTree): ReadonlySet<string> {
    const copies = [...tree].filter(([, { sha256 }]) => this.#damagedBytes.has(sha256));
    return new Set([...this.#struck, ...copies.map(([path]) => path)]);
  }

  #hasKind(kind: Fault['kind']): boolean {
    return this.#schedule.sessions.flat().some((fault) => fault.kind === kind);
  }

  /**
   * A volume whose run.json a fault has taken or damaged is known as nobody's, and so are shards without their manifest where
   * there is no run: that they are refused must be told with the file, or with the directory.
   */
  #isRefused({ exitCode, stderr }: Session): boolean {
    if (!this.#struck.has('run.json') && (this.#job.isRun || !this.#struck.has('data/manifest.json')))
      return false;
    if (exitCode !== ExitCode.usage && exitCode !== ExitCode.data) return false;
    return /run\.json|--fresh|choose an(other| empty or new) directory/.test(stderr);
  }

  /** The session of these faults; undefined where all of them lie before the command, which the next one shows. */
  async #disturbed(faults: readonly Fault[]): Promise<Session | undefined> {
    const atRest = faults.filter(({ at }) => at === 0);
    for (const fault of atRest) await this.#damage(fault);
    const coming = faults.filter(({ at }) => at > 0);
    if (coming.length === 0) return undefined;
    const session = await this.#session(coming.map(tellFault).join('; '), coming);
    const met = session.operations.filter(({ rule }) => rule >= 0);
    const [struck] = met;
    if (struck !== undefined) {
      this.#isStruck = true;
      const { number, kind, path, to, program } = struck;
      const target = to === '' ? path : `${path} to ${to}`;
      this.#told.push(
        `  met operation ${number} of ${session.operations.length}: ${kind} ${target} by ${program}`,
      );
    }
    if (coming.some((fault) => fault.kind === 'kill' && fault.how === 'power'))
      await this.#losePower(session, coming);
    if (!coming.some((fault) => fault.kind === 'kill' && fault.isAtOnce)) await waitForAll(session);
    return session;
  }

  async #session(what: string, faults: readonly Fault[]): Promise<Session> {
    const session = await runSession(this.#context.shim, {
      args: this.#job.args(this.#volume),
      root: this.#volume,
      rules: faults.map(ruleOf),
      ...(faults.length === 0 ? {} : { onHalt: (halted) => this.#act(faults[halted.rule], halted) }),
    });
    const ending = `${session.exitCode ?? session.signal}`;
    this.#endings.push(ending);
    this.#told.push(`${what}: ended with ${ending}`);
    this.#output.push(`--- ${what}: ended with ${ending}`, session.stderr);
    return session;
  }

  async #act(fault: Fault | undefined, { process: halted, first }: Halted): Promise<void> {
    switch (fault?.kind) {
      case 'kill':
        if (fault.who === 'tree') signalGroup(first, 'SIGKILL');
        else signalProcess(fault.who === 'first' ? first : halted, 'SIGKILL');
        return;
      case 'stop': {
        const stopped = fault.who === 'tree' ? -first : halted;
        signalProcess(stopped, 'SIGSTOP');
        await sleep(fault.seconds * 1000);
        signalProcess(stopped, 'SIGCONT');
        return;
      }
      case 'delete':
      case 'flip':
        await this.#damage(fault);
        return;
      case 'second': {
        const second = await this.#session('the second pipeline', []);
        this.#require(endingBreaches(second, [fault]));
        return;
      }
      default:
        return;
    }
  }

  /** Deletes what a fault says, or flips a bit of it. */
  async #damage(fault: Fault): Promise<void> {
    if (fault.kind !== 'delete' && fault.kind !== 'flip') return;
    this.#damages.push(fault);
    if (fault.kind === 'delete' && fault.what === 'volume') {
      for (const path of (await readTree(this.#volume)).keys()) this.#struck.add(path);
      this.#struck.add('.');
      await rm(this.#volume, { recursive: true, force: true, maxRetries: 5, retryDelay: 5 });
      return;
    }
    const paths = [...(await readTree(this.#volume)).keys()].filter((path) => !isHidden(path)).sort();
    const path = paths[Math.floor(fault.pick * paths.length)];
    if (path === undefined) return;
    this.#isStruck = true;
    this.#struck.add(path);
    const file = join(this.#volume, path);
    if (fault.kind === 'delete') {
      this.#told.push(`  deleted ${path}`);
      await rm(file, { force: true });
      return;
    }
    const { size } = await stat(file);
    if (size === 0) return;
    const at = Math.floor(fault.place * size);
    this.#told.push(`  flipped bit ${fault.bit} of byte ${at} of ${path}`);
    const handle = await open(file, 'r+');
    try {
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
      buffer[0] = (buffer[0] ?? 0) ^ (1 << fault.bit);
      await handle.write(buffer, 0, 1, at);
      this.#damagedBytes.add(sha256(await handle.readFile()));
    } finally {
      await handle.close();
    }
  }

  /** What was written and not synced is lost from some byte on, or was never there. */
  async #losePower({ operations }: Session, faults: readonly Fault[]): Promise<void> {
    const unsynced = new Set<number>();
    for (const { kind, inode, rule } of operations) {
      const isPrevented = ['kill', 'errno'].includes(faults[rule]?.kind ?? '');
      if (kind === 'write' || kind === 'truncate') unsynced.add(inode);
      else if (kind === 'sync' && !isPrevented) unsynced.delete(inode);
    }
    const random = randomStream(this.#schedule.seed, 'faults', 'power');
    for (const [path, { inode, bytes }] of await readTree(this.#volume)) {
      if (!unsynced.has(inode)) continue;
      const kept = Math.floor(random.uniform() * (bytes.length + 1));
      this.#told.push(`  lost ${bytes.length - kept} of ${bytes.length} bytes of ${path}`);
      await truncate(join(this.#volume, path), kept);
    }
  }

  /** Takes away the locks of the process that made the state, as if it had ended by itself. */
  async #unlock(): Promise<void> {
    for (const path of (await readTree(this.#volume)).keys()) {
      if (path.startsWith('.lock')) await rm(join(this.#volume, path));
    }
  }
}

function ruleOf(fault: Fault): Rule {
  const { at } = fault;
  switch (fault.kind) {
    case 'kill':
      return {
        at,
        who: fault.who === 'child' ? 'child' : 'any',
        ...(fault.how === 'torn' ? { action: 'torn', kinds: ['write'] } : { action: 'halt' }),
      };
    case 'errno':
      return {
        ...{ at, action: 'fail', argument: errnoOf(fault.errno), times: fault.times },
        kinds: ERRNO_KINDS[fault.errno],
      };
    case 'short':
      return { at, action: 'short', times: fault.times, kinds: ['read', 'write'] };
    case 'slow':
      return { at, action: 'slow', argument: fault.ms, times: 1_000, kinds: ['sync'] };
    case 'clock':
      return { at, action: 'clock', argument: fault.seconds };
    default:
      return { at, action: 'halt' };
  }
}

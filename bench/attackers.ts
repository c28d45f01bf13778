/** The attackers, a process of their own: `attackers.js '{"kind": …}'` attacks a server for some seconds and prints what it was answered. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { isMain } from '../lib/cli/program.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { PREDICT_PATH, PREFACE, resetFrames } from './reset-frames.js';

/** What attackers do. `file` is what they send, in full or over and over. */
export type Attack =
  | {
      /** Send the file as a body, and again once it is answered. */
      readonly kind: 'bodies';
      readonly path: string;
      readonly type: string;
      readonly file: string;
    }
  /** Send a head that never ends, a byte now and then. */
  | { readonly kind: 'slow heads' }
  /** Send the first `atOnce` bytes of a long body, and then a byte now and then. */
  | {
      readonly kind: 'slow bodies';
      readonly path: string;
      readonly type: string;
      readonly file: string;
      readonly atOnce: number;
    }
  /** Send parts without end, until they are answered. */
  | { readonly kind: 'endless bodies'; readonly path: string; readonly type: string; readonly head: string }
  /** Ask with these lines in the head, one request after the other. */
  | { readonly kind: 'heads'; readonly lines: readonly string[] }
  /** Begin calls of gRPC and take them back at once. */
  | { readonly kind: 'resets' }
  /** Call `Predict` with the file as message. */
  | { readonly kind: 'messages'; readonly file: string }
  /** Put one of the files after the other in the place of the model. */
  | { readonly kind: 'reloads'; readonly model: string; readonly files: readonly string[] };

/** Who is attacked, by how many, and for how long. */
export interface AttackersOptions {
  readonly url: string;
  readonly grpcAddress: string;
  readonly seconds: number;
  readonly attacks: readonly (Attack & { readonly connections: number })[];
}

/** How often each answer came: an HTTP status, a code of gRPC, or what became of a connection. */
export type Answers = Readonly<Record<string, number>>;

const DRIP_MS = 500;
/** After a connection was ended, before the next one. */
const AGAIN_MS = 200;
const RELOAD_MS = 200;
const PART = Buffer.alloc(65_536, '0');
const RESETS_A_WRITE = 100;
/** A connection may begin so many calls (RFC 9113, 5.1.1: each has a number of its own). */
const CALLS_A_CONNECTION = 1_000_000;

class Attackers {
  readonly #options: AttackersOptions;
  readonly #until: number;
  readonly #answers: Record<string, number> = {};

  constructor(options: AttackersOptions) {
    this.#options = options;
    this.#until = performance.now() + options.seconds * 1000;
  }

  async attack(): Promise<Answers> {
    const all = this.#options.attacks.flatMap((attack) =>
      Array.from({ length: attack.connections }, () => this.#one(attack)),
    );
    await Promise.all(all);
    return this.#answers;
  }

  get #isOver(): boolean {
    return performance.now() >= this.#until;
  }

  #count(answer: string, times = 1): void {
    this.#answers[answer] = (this.#answers[answer] ?? 0) + times;
  }

  /** One attacker, until time is over. */
  async #one(attack: Attack): Promise<void> {
    const { port } = new URL(this.#options.url);
    const headOf = (path: string, ...lines: readonly string[]) =>
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines.map((line) => `${line}\r\n`).join('')}`;
    switch (attack.kind) {
      case 'bodies':
        return this.#sendBodies(attack);
      case 'slow heads':
        return this.#drip(headOf('/upload', 'X-Slow: '));
      case 'slow bodies': {
        const body = readFileSync(attack.file);
        const length = `Content-Length: ${body.length}`;
        const head = headOf(attack.path, `Content-Type: ${attack.type}`, length);
        return this.#drip(Buffer.concat([Buffer.from(`${head}\r\n`), body.subarray(0, attack.atOnce)]));
      }
      case 'endless bodies': {
        const head = headOf(attack.path, `Content-Type: ${attack.type}`, 'Transfer-Encoding: chunked');
        return this.#sendEndless(`${head}\r\n${asChunk(attack.head)}`);
      }
      case 'heads':
        return this.#ask(`GET / HTTP/1.1\r\n${attack.lines.map((line) => `${line}\r\n`).join('')}\r\n`);
      case 'resets':
        return this.#reset();
      case 'messages':
        return this.#call(readFileSync(attack.file));
      case 'reloads':
        return this.#replace(attack);
    }
  }

  async #sendBodies({ path, type, file }: Extract<Attack, { kind: 'bodies' }>): Promise<void> {
    const body = readFileSync(file);
    const headers = { 'Content-Type': type, Accept: 'application/json', 'Content-Length': body.length };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#isOver) {
      const answer = await new Promise<string>((resolve) => {
        const sent = request(this.#options.url + path, { agent, method: 'POST', headers }, (response) => {
          const status = String(response.statusCode);
          response.once('close', () => resolve(status)).resume();
        });
        sent.once('error', () => resolve('cut')).end(body);
        // Nothing waits for an answer beyond the end.
        const late = setTimeout(() => sent.destroy(), this.#until + 1000 - performance.now());
        sent.once('close', () => clearTimeout(late));
      });
      this.#count(answer === 'cut' && this.#isOver ? 'still open' : answer);
      if (answer === 'cut') await delay(AGAIN_MS);
    }
    agent.destroy();
  }

  /** Connections, one after the other, each of which says something at once, and then a byte now and then. */
  async #drip(beginning: string | Buffer): Promise<void> {
    while (!this.#isOver) {
      await this.#connect(async (socket, ended) => {
        socket.write(beginning);
        while (!ended.aborted && !this.#isOver) {
          await delay(DRIP_MS, undefined, { signal: ended }).catch(() => undefined);
          socket.write('a');
        }
      });
      if (!this.#isOver) await delay(AGAIN_MS);
    }
  }

  async #sendEndless(head: string): Promise<void> {
    const part = asChunk(PART.toString('latin1'));
    while (!this.#isOver) {
      await this.#connect(async (socket, ended) => {
        socket.write(head);
        const answered = new AbortController();
        socket.once('data', () => answered.abort());
        while (!answered.signal.aborted && !ended.aborted && !this.#isOver)
          await Promise.race([written(socket, part), delay(AGAIN_MS)]);
      });
    }
  }

  async #ask(head: string): Promise<void> {
    while (!this.#isOver) {
      await this.#connect(async (socket, ended) => {
        socket.on('data', () => socket.write(head)).write(head);
        await delay(this.#until - performance.now(), undefined, { signal: ended }).catch(() => undefined);
      });
    }
  }

  async #reset(): Promise<void> {
    const [host, port] = hostAndPort(this.#options.grpcAddress);
    while (!this.#isOver) {
      const socket = connect(port, host).on('error', () => undefined);
      socket.resume().write(PREFACE);
      for (let first = 0; first < CALLS_A_CONNECTION && !this.#isOver; first += RESETS_A_WRITE) {
        const isTaken = written(socket, resetFrames(first, RESETS_A_WRITE));
        // Who is not read from any more begins anew.
        if (!(await Promise.race([isTaken, delay(AGAIN_MS, false)]))) break;
        this.#count('taken back', RESETS_A_WRITE);
      }
      if (!this.#isOver) this.#count('cut');
      socket.destroy();
    }
  }

  async #call(message: Buffer): Promise<void> {
    const client = new Client(this.#options.grpcAddress, credentials.createInsecure());
    while (!this.#isOver) {
      const code = await new Promise<number>((resolve) => {
        const deadline = Date.now() + this.#until + 1000 - performance.now();
        const asIs = (bytes: Buffer) => bytes;
        client.makeUnaryRequest(
          PREDICT_PATH,
          asIs,
          asIs,
          message,
          { deadline },
          (error: ServiceError | null) => resolve(error === null ? 0 : error.code),
        );
      });
      this.#count(`gRPC ${code}`);
    }
    client.close();
  }

  async #replace({ model, files }: Extract<Attack, { kind: 'reloads' }>): Promise<void> {
    const contents = files.map((file) => readFileSync(file));
    for (let turn = 0; !this.#isOver; turn++) {
      const content = contents[turn % contents.length];
      if (content !== undefined) await writeFileAtomic(model, content);
      this.#count('files');
      await delay(RELOAD_MS);
    }
    const facts = (await (await fetch(`${this.#options.url}/model`)).json()) as { readonly version: number };
    this.#count('models taken', facts.version - 1);
  }

  /** Lends a connection, and counts what it was answered until it is over. */
  async #connect(use: (socket: Socket, ended: AbortSignal) => Promise<void>): Promise<void> {
    const [host, port] = hostAndPort(new URL(this.#options.url).host);
    const socket = connect(port, host);
    const ended = new AbortController();
    let answers = 0;
    socket.on('data', (bytes) => {
      for (const [, status] of bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3})/g)) {
        answers++;
        this.#count(status ?? '');
      }
    });
    socket.on('error', () => undefined).once('close', () => ended.abort());
    await use(socket, ended.signal);
    if (answers === 0) this.#count(ended.signal.aborted ? 'cut' : 'still open');
    socket.destroy();
  }
}

function asChunk(text: string): string {
  return `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n`;
}

/** Whether the kernel took the bytes. */
function written(socket: Socket, bytes: string | Buffer): Promise<boolean> {
  return new Promise((resolve) => socket.write(bytes, (error) => resolve(!error)));
}

function hostAndPort(address: string): readonly [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}

if (isMain(import.meta.url)) {
  const options = JSON.parse(process.argv[2] ?? '{}') as AttackersOptions;
  process.stdout.write(JSON.stringify(await new Attackers(options).attack()), () => process.exit());
}

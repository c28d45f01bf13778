/**
 * Loaded into the simulator before it starts (`node --import`): between a client's training and the server it puts an
 * attacker's update in the place of the honest one, as whoever runs that client could. The simulator does not know of it.
 */
import { Worker } from 'node:worker_threads';
import { examineUpdate } from '../../simulator/examine-update.js';
import type { SimulatedRound, WorkerMessage, WorkerTask } from '../../simulator/worker-messages.js';
import { type Attackers, poisonUpdate } from './attacks.js';

/** The variable that tells who attacks, as JSON. */
const ATTACKERS = 'FEDBATCH_BENCH_ATTACKERS';

const { attack, clients, seed } = JSON.parse(process.env[ATTACKERS] ?? '{"clients":[]}') as Attackers;

/** What each worker has been given and has not answered; it answers in that order. */
const tasks = new WeakMap<Worker, WorkerTask[]>();
/** The round that each has last heard of. */
const rounds = new WeakMap<Worker, SimulatedRound>();
const { postMessage, on } = Worker.prototype;

Worker.prototype.postMessage = function (message: WorkerTask | SimulatedRound | 'stop', ...others: []) {
  if (message !== 'stop' && message.kind === 'round') rounds.set(this, message);
  else if (message !== 'stop') tasks.set(this, [...(tasks.get(this) ?? []), message]);
  return postMessage.call(this, message, ...others);
};

/** What the server is to hear in place of `message`. */
function poisoned(worker: Worker, message: WorkerMessage): WorkerMessage {
  if (message.kind !== 'result') return message;
  const task = tasks.get(worker)?.shift();
  const shared = rounds.get(worker);
  if (shared === undefined || task?.kind !== 'train' || message.result.kind !== 'trained') return message;
  const { client, slot } = task;
  const { round, global, slots } = shared;
  const update = slots[slot];
  if (update === undefined || !clients.includes(client)) return message;
  poisonUpdate(update.weights, attack, { client, round, global: global.weights, seed });
  return { ...message, result: { ...message.result, ...examineUpdate(update, shared) } };
}

Worker.prototype.on = function (this: Worker, event: string, listener: (message: WorkerMessage) => void) {
  if (event !== 'message') return on.call(this, event, listener);
  return on.call(this, event, (message: WorkerMessage) => listener(poisoned(this, message)));
} as typeof on;

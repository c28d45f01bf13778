/** Bytes of bodies that are kept in memory until they are answered, all of them together within one bound. */
import { networkOf } from './operations/guard.js';

/** What one body takes of the room. */
export interface BodyPlace {
  /** Counts bytes that have come. False, and nothing is counted, where all bodies together would be too much. */
  add(bytes: number): boolean;
  /** Gives the room back; doing so again does nothing. */
  release(): void;
  /** Called when the body comes too slowly while others wait. */
  onStalled?: () => void;
}

/** Whose body it is. */
interface Sender {
  readonly address: string;
}

/** A large body that says how long it is. */
interface DeclaredBody extends Sender {
  readonly bytes: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** Room for the bodies of many. */
export interface Room {
  /** A place for a small body, or for one that does not say how long it is: it grows as that comes. */
  open(sender: Sender): BodyPlace;
  /**
   * A place for a large body, once there is room for all of it: what is refused half-way was read for nothing. Of those
   * that wait, who has least goes first, and nobody gets more than half. Undefined where the wait takes too long.
   */
  enter(body: DeclaredBody): Promise<BodyPlace | undefined>;
}

/** A small body: more than a prediction of a few examples or a drawing takes. */
export const SMALL_BODY_BYTES = 65_536;
/** Large bodies leave the rest of the room to small ones, which nobody keeps out by holding many large ones. */
const LARGE_SHARE = 0.8;
/** Of that, what one address may have, or one IPv6 network. */
const ADDRESS_SHARE = 0.5;
/** A body may wait so long for its place. Nobody reads it meanwhile: what was sent lies in the system's buffers. */
const WAIT_MS = 5_000;
const MOST_WAITING = 1_000;
/** Many who came at the same time are not refused at the same time: each answer costs the event loop half a millisecond. */
const REFUSE_EVERY_MS = 10;
const REFUSED_AT_ONCE = 4;
/** While others wait, a body brings so many bytes in so long, or leaves its place to them: a tenth of what a slow phone does. */
const STALL_MS = 5_000;
const STALL_BYTES = 65_536;

interface Entered {
  readonly place: BodyPlace;
  readonly bytes: number;
  received: number;
  /** What had come when it was looked at last, and when that was. */
  before: number;
  since: number;
}

interface Waiting {
  readonly body: DeclaredBody;
  readonly since: number;
  readonly settle: (place: BodyPlace | undefined) => void;
}

/** Makes room. */
export function createRoom(maxHeldBytes: number, { waitMs = WAIT_MS, stallMs = STALL_MS } = {}): Room {
  const mostLarge = LARGE_SHARE * maxHeldBytes;
  let heldBytes = 0;
  /** Of large bodies, by network. */
  const heldBy = new Map<string, number>();
  const entered = new Set<Entered>();
  const line = new Set<Waiting>();
  let looking: readonly NodeJS.Timeout[] = [];

  const heldOf = ({ address }: Sender) => heldBy.get(address) ?? 0;
  const hasRoom = (bytes: number, sender: Sender) => {
    const own = heldOf(sender);
    return heldBytes + bytes <= mostLarge && (own === 0 || own + bytes <= ADDRESS_SHARE * mostLarge);
  };

  function hold(bytes: number, sender?: Sender): void {
    heldBytes += bytes;
    if (sender === undefined) return;
    const held = heldOf(sender) + bytes;
    if (held > 0) heldBy.set(sender.address, held);
    else heldBy.delete(sender.address);
  }

  function admit(): void {
    for (;;) {
      let next: Waiting | undefined;
      for (const each of line)
        if (hasRoom(each.body.bytes, each.body) && (!next || heldOf(each.body) < heldOf(next.body)))
          next = each;
      if (next === undefined) return;
      next.settle(placeOf(next.body));
    }
  }

  function look(): void {
    const now = performance.now();
    for (const each of entered) {
      if (now - each.since < stallMs) continue;
      const isSlow = each.received < Math.min(each.bytes, each.before + STALL_BYTES);
      each.before = each.received;
      each.since = now;
      if (isSlow) each.place.onStalled?.();
    }
  }

  /** Lets go who has waited too long: the first of the line came first. */
  function refuseLate(): void {
    const late = performance.now() - waitMs;
    let refused = 0;
    for (const each of line) {
      if (each.since > late || refused++ === REFUSED_AT_ONCE) return;
      each.settle(undefined);
    }
  }

  function placeOf(body: DeclaredBody): BodyPlace {
    const place: BodyPlace = {
      add(bytes) {
        own.received += bytes;
        return own.received <= body.bytes;
      },
      release() {
        if (!entered.delete(own)) return;
        hold(-body.bytes, body);
        admit();
      },
    };
    const own: Entered = { place, bytes: body.bytes, received: 0, before: 0, since: performance.now() };
    hold(body.bytes, body);
    entered.add(own);
    return place;
  }

  return {
    open({ address }) {
      const sender = { address: networkOf(address) };
      let [small, large] = [0, 0];
      return {
        add(bytes) {
          if (small + large + bytes > SMALL_BODY_BYTES) {
            if (!hasRoom(bytes, sender)) return false;
            hold(bytes, sender);
            large += bytes;
          } else {
            if (heldBytes + bytes > maxHeldBytes) return false;
            hold(bytes);
            small += bytes;
          }
          return true;
        },
        release() {
          hold(-small);
          hold(-large, sender);
          [small, large] = [0, 0];
          if (line.size > 0) admit();
        },
      };
    },

    async enter(declared) {
      const body = { ...declared, address: networkOf(declared.address) };
      if (body.signal.aborted) return undefined;
      if (line.size === 0 && hasRoom(body.bytes, body)) return placeOf(body);
      if (line.size >= MOST_WAITING) return undefined;
      return new Promise((resolve) => {
        const leave = () => waiting.settle(undefined);
        const waiting: Waiting = {
          body,
          since: performance.now(),
          settle(place) {
            body.signal.removeEventListener('abort', leave);
            line.delete(waiting);
            if (line.size === 0) looking.forEach(clearInterval);
            resolve(place);
          },
        };
        body.signal.addEventListener('abort', leave, { once: true });
        if (line.size === 0)
          looking = [setInterval(look, stallMs / 5), setInterval(refuseLate, REFUSE_EVERY_MS)];
        line.add(waiting);
        admit();
      });
    },
  };
}

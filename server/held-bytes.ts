/** Bytes of bodies that are kept in memory until they are answered, all of them together within one bound. */

/** The bytes of one body. */
export interface HeldBytes {
  readonly length: number;
  /** Adds a part. False, and nothing is added, where all bodies together would be too much. */
  add(chunk: Uint8Array): boolean;
  /** All parts in one piece. */
  bytes(): Buffer;
  /** Gives the room back; doing so again does nothing. */
  release(): void;
}

/** Room for the bodies of many. */
interface Room {
  hold(): HeldBytes;
}

/** A small body: more than a prediction of a few examples or a drawing takes. */
export const SMALL_BODY_BYTES = 65_536;
/** Large bodies leave the rest of the room to small ones, which nobody keeps out by holding many large ones. */
const LARGE_SHARE = 0.8;

/**
 * Makes room. Parts are copied into one array that grows: a list of them would cost a hundred bytes for each part of one
 * byte, which a client may send as many of as the body has bytes.
 */
export function createRoom(maxHeldBytes: number): Room {
  let heldBytes = 0;
  return {
    hold() {
      let target: Buffer = Buffer.alloc(0);
      let length = 0;
      return {
        get length() {
          return length;
        },
        add(chunk) {
          const end = length + chunk.length;
          const room = end > SMALL_BODY_BYTES ? LARGE_SHARE * maxHeldBytes : maxHeldBytes;
          if (heldBytes + chunk.length > room) return false;
          heldBytes += chunk.length;
          if (length === 0) target = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
          else {
            if (end > target.length) {
              const grown = Buffer.allocUnsafeSlow(Math.max(SMALL_BODY_BYTES, 2 * end));
              target.copy(grown, 0, 0, length);
              target = grown;
            }
            target.set(chunk, length);
          }
          length = end;
          return true;
        },
        bytes: () => target.subarray(0, length),
        release() {
          heldBytes -= length;
          length = 0;
          target = Buffer.alloc(0);
        },
      };
    },
  };
}

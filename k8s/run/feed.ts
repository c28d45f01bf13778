/** The newest state of a selection of objects: a list, then a watch, and the list again whenever the watch ends. */
import { FedbatchError } from '../../lib/core/errors.js';
import { pause } from '../../lib/system/abort.js';
import { isPassing, readFailure } from '../connection/api-errors.js';
import { createBackoff } from '../connection/retry.js';
import type { Listed, WatchEvent } from './cluster-api.js';

interface Named {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
}

/** Where the objects come from. */
interface FeedSource<T> {
  list(): Promise<Listed<T>>;
  /** Resolves when the watch ends, which it does often and without a word. */
  watch(version: string, onEvent: (event: WatchEvent<T>) => void, signal: AbortSignal): Promise<void>;
}

/** The newest state. */
interface Feed<T> {
  /** Undefined until it is known. @throws what the server refuses for good */
  items(): readonly T[] | undefined;
  /** All that were ever there, as they were last seen. */
  seen(): readonly T[];
}

/** Between the end of a watch and the next list: a server that cuts off every watch is not asked without a pause. */
const PAUSE_MS = 200;
const PAUSE_AFTER_REFUSAL_MS = 1_000;
/** While a server lists and refuses to be watched: so old the newest state may be. */
const LONGEST_PAUSE_MS = 10_000;

/**
 * Keeps a feed up to date until `signal`; `onChange` is called after each change, and when the server refuses for good.
 */
export function startFeed<T extends Named>(
  source: FeedSource<T>,
  { onChange, signal }: { readonly onChange: () => void; readonly signal: AbortSignal },
): Feed<T> {
  let objects: Map<string, T> | undefined;
  const seen = new Map<string, T>();
  let refusal: { readonly error: unknown } | undefined;
  const key = ({ metadata }: T) => metadata?.name ?? '';
  const replace = (items: readonly T[]) => {
    objects = new Map(items.map((item) => [key(item), item]));
    for (const item of items) seen.set(key(item), item);
    onChange();
  };
  const take = ({ type, object }: WatchEvent<T>) => {
    if (type === 'DELETED') objects?.delete(key(object));
    else if (type === 'ADDED' || type === 'MODIFIED') objects?.set(key(object), object);
    else return;
    seen.set(key(object), object);
    onChange();
  };
  const refused = createBackoff({ firstMs: PAUSE_AFTER_REFUSAL_MS, longestMs: LONGEST_PAUSE_MS });
  const follow = async (): Promise<never> => {
    for (;;) {
      // A list tells what a watch has missed: it is the fallback, and the way on after 410 Gone.
      const { items, version } = await source.list();
      replace(items);
      let isGone = false;
      const onEvent = (event: WatchEvent<T>) => {
        if (event.type === 'ERROR') isGone = true;
        else take(event);
      };
      try {
        await source.watch(version, onEvent, signal);
        refused.reset();
        await pause(isGone ? PAUSE_AFTER_REFUSAL_MS : PAUSE_MS, signal);
      } catch (error) {
        const { code } = readFailure(error);
        if (error instanceof FedbatchError || !(isPassing(error) || code === 410)) throw error;
        // What is cut off, or asks for a list, is no refusal.
        if (code === undefined || code === 410) refused.reset();
        await pause(refused.after(error), signal);
      }
    }
  };
  follow().catch((error: unknown) => {
    refusal = { error };
    onChange();
  });
  return {
    items() {
      if (refusal !== undefined) throw refusal.error;
      return objects && [...objects.values()];
    },
    seen: () => [...seen.values()],
  };
}

/** Whether an engine can be tested here. */
import { type Engine, EngineUnavailableError } from '../engine.js';

/** Why `load` finds no engine here, or false where it finds one; other failures are thrown. */
export async function reasonNotLoaded(load: () => Promise<Engine>): Promise<string | false> {
  try {
    await load();
    return false;
  } catch (error) {
    if (error instanceof EngineUnavailableError) return error.message;
    throw error;
  }
}

/** The reporter for machines: one JSON object per line on stderr, by pino. */
import { pino } from 'pino';
import { isOf, type ProgressEvent, type Reporter, sourceKey } from './events.js';

/** A reporter that writes pino lines to stderr; progress events carry `"event":"progress"`, and none is told twice in a row. */
export function createJsonReporter(): Reporter {
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  const told = new Map<string, { readonly event: ProgressEvent; readonly text: string }>();
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    progress(event) {
      const text = JSON.stringify(event);
      if (told.get(sourceKey(event))?.text === text) return;
      told.set(sourceKey(event), { event, text });
      logger.info({ event: 'progress', ...event });
    },
    step: (message, fields = {}) => logger.info(fields, message),
    round: (event) => event.isSettled || logger.info({ event: 'round', ...event }),
    close(source) {
      for (const [key, { event }] of told) if (isOf(event, source ?? {})) told.delete(key);
    },
  };
}

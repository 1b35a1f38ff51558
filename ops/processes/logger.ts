/**
 * Structured logs: JSON lines on standard output, each with the process's kind and id. The launcher
 * points standard output at data/logs/<id>.log.
 */
import { pino, type Logger } from 'pino';

export type { Logger };

export function createLogger(facts: { kind: string; id: string }, level: string, file?: string): Logger {
  // Synchronous: the last line before a crash is the one that matters.
  const destination = pino.destination({ dest: file ?? 1, sync: true, mkdir: true });
  return pino({ level, base: facts, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

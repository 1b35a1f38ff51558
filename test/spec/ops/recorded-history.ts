/**
 * Logs of earlier releases, entry by entry as they were written: what data folders out there hold. A file of
 * `histories/` is never changed; events that came later are in later files (record-history.ts makes one).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { commitmentOf, encodeHead, sha256, ZERO_HASH } from '../../../storage-nodes/log/entry.ts';
import type { LogRecord } from '../../../storage-nodes/log/entry.ts';
import { epoch, seq } from '../../../storage-nodes/words.ts';
import { contentOf, type Entry } from '../in-memory-shell.ts';

export const HISTORIES = new URL('./histories/', import.meta.url);
const EPOCH = epoch(1);

/** The file names, oldest first. */
export function histories(): string[] {
  return readdirSync(HISTORIES).sort();
}

export function readHistory(name: string): LogRecord[] {
  const lines = readFileSync(new URL(name, HISTORIES), 'utf8').trimEnd().split('\n');
  return lines.map((line, i) => {
    const [head, ...parts] = line.split(' ').map((field) => Buffer.from(field.slice(1), 'base64'));
    return { seq: seq(i + 1), epoch: EPOCH, head: head!, parts };
  });
}

/** One entry a line: head and parts in base64, each behind a colon, so that nothing is a field too. */
export function asLines(records: readonly LogRecord[]): string {
  const field = (bytes: Uint8Array | undefined) => `:${Buffer.from(bytes ?? []).toString('base64')}`;
  return records.map(({ head, parts }) => `${[head, ...parts].map(field).join(' ')}\n`).join('');
}

/** Entries of the shell in memory as a primary writes them. */
export function recordsOf(log: readonly Entry[]): LogRecord[] {
  const streams = new Map<string, { seq: number; last: number; hash: Uint8Array }>();
  let previousHash: Uint8Array = ZERO_HASH;
  return log.map((entry, i) => {
    const number = i + 1;
    const parts = entry.parts.map((_, part) => contentOf(entry.parts).bytes(part) ?? Buffer.alloc(0));
    const before = streams.get(entry.stream) ?? { seq: 0, last: 0, hash: ZERO_HASH };
    const salt = Buffer.alloc(16, number);
    const head = encodeHead({
      seq: seq(number),
      epoch: EPOCH,
      time: entry.time,
      stream: entry.stream,
      streamSeq: before.seq + 1,
      streamPrevious: seq(before.last),
      previousHash,
      previousStreamHash: before.hash,
      commandId: `command-${number}`,
      commandExpiresAt: entry.time + 60_000,
      action: 'Recorded',
      actor: 'alice',
      session: 'session',
      causation: undefined,
      events: entry.events,
      reply: null,
      parts: parts.map((bytes) => ({ length: bytes.length, salt, commitment: commitmentOf(salt, bytes) })),
    });
    previousHash = sha256(head);
    streams.set(entry.stream, { seq: before.seq + 1, last: number, hash: previousHash });
    return { seq: seq(number), epoch: EPOCH, head, parts };
  });
}

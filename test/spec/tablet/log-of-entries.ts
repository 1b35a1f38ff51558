/** A tablet's log made by the real decisions over cells in memory: what a primary alone would write. */
import { realTimers } from '../../../storage-nodes/timers.ts';
import { randomFillSync } from 'node:crypto';
import type { CellStore } from '../../../storage-nodes/cells/cells.ts';
import { MemoryCells } from '../../../storage-nodes/cells/memory-cells.ts';
import type { CommandRequest } from '../../../storage-nodes/client/client.ts';
import type { LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { NodeLog } from '../../../storage-nodes/log/log.ts';
import { Applier, type Applied } from '../../../storage-nodes/tablet/applier.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { Decisions } from '../../../storage-nodes/tablet/decisions.ts';
import type { Outcome } from '../../../storage-nodes/tablet/outcome.ts';
import { epoch, tabletId } from '../../../storage-nodes/words.ts';
import { createApplication } from '../../../ops/processes/platform.ts';

export const TABLET = tabletId('t-01');
export const APPLICATION: Application = createApplication({
  kvValueBytesMax: 1 << 20,
  messageBytesMax: 8 << 20,
});

export async function memoryCells(): Promise<CellStore> {
  const cells = new MemoryCells();
  await cells.open();
  return cells;
}

/** Decisions whose entries go to `log` and, unless `holdBack`, into the cells at once. */
export class Primary {
  readonly log: LogRecord[] = [];
  readonly cells: CellStore;
  readonly decisions: Decisions;
  readonly #applier: Applier;
  holdBack = false;
  time = 1_700_000_000_000;
  /** Hears of what applied entries ask for, as a reactor would. */
  onReaction: (asked: Applied['reactions'][number]) => void = () => {};
  #applying: Promise<void> = Promise.resolve();

  constructor(cells: CellStore, application: Application = APPLICATION) {
    this.cells = cells;
    this.#applier = new Applier(TABLET, cells, application);
    this.decisions = new Decisions({
      tablet: TABLET,
      epoch: epoch(1),
      range: { from: '', to: null },
      cells,
      application,
      timers: realTimers,
      clock: () => this.time,
      random: (into) => randomFillSync(into),
      propose: (records) => this.log.push(...records),
      admit: () => this.apply(),
    });
  }

  /** One application after another, whoever asks. */
  apply(): Promise<void> {
    return (this.#applying = this.#applying.then(async () => {
      const fresh = this.holdBack ? [] : this.log.slice(this.cells.applied(TABLET));
      if (fresh.length === 0) return;
      for (const asked of (await this.#applier.apply(fresh)).reactions) this.onReaction(asked);
    }));
  }

  /** The log as a reactor reads it. */
  reader(): NodeLog {
    const record = (seq: number) => this.log[seq - 1];
    return {
      readHeads: async (_tablet: string, from: number) => this.log.slice(from - 1, from),
      readPart: async (_tablet: string, seq: number, part: number, offset: number, length: number) =>
        record(seq)?.parts[part]?.subarray(offset, offset + length),
    } as unknown as NodeLog;
  }

  decide(command: CommandRequest): Promise<Outcome> {
    return this.decisions.decide(command);
  }
}

let count = 0;
export function command(
  type: string,
  stream: string,
  data: object,
  parts: Uint8Array[] = [],
  more: Partial<CommandRequest> = {},
): CommandRequest {
  return {
    id: `command-${++count}`,
    expiresAt: 0,
    stream,
    type,
    data,
    parts,
    actor: 'test',
    session: '',
    action: type,
    ...more,
  };
}
export const put = (row: string, column: string, value: string, more: Partial<CommandRequest> = {}) =>
  command('kv.Put', row, { column }, [Buffer.from(value)], more);

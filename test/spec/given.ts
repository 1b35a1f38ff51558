/**
 * Given events, when a command, then events or a rejection; given events, then cells. Streams default
 * to alice's account, so that a specification says only what matters to it.
 */
import { expect } from 'vitest';
import type { DomainArea, DomainEvent, Json } from '../../domain/decider.ts';
import { createDomain } from '../../domain/domain.ts';
import type { RejectionCode } from '../../domain/errors.ts';
import { encodeSummary, type MailSummary } from '../../domain/mail/message/summary.ts';
import { accountStream } from '../../domain/streams.ts';
import { InMemoryShell, LIMITS, START, type Part } from './in-memory-shell.ts';

export const ALICE = accountStream('alice');
export const BOB = accountStream('bob');
export const domain: DomainArea = createDomain(LIMITS);

/** What happened, or what is asked: the same shape. */
export type Said = {
  readonly type: string;
  readonly data: { readonly [key: string]: Json | undefined };
  readonly stream?: string;
  readonly parts?: readonly Part[];
  readonly time?: number;
};

export function given(area: DomainArea, history: readonly Said[]) {
  const shell = shellAfter(history, area);
  return {
    when(command: Omit<Said, 'data'> & { readonly data: unknown }) {
      const outcome = shell.execute({ ...command, stream: command.stream ?? ALICE });
      return {
        then(events: readonly Pick<Said, 'type' | 'data'>[], reply?: Json): void {
          const said = events.map(({ type, data }) => ({ type, version: 1, data }));
          const answer = 'reply' in outcome && { reply: reply ?? outcome.reply };
          expect(outcome).toEqual({ events: said, ...answer });
        },
        thenRejected(
          code: RejectionCode,
          facts: {
            field?: string;
            limit?: number | string;
            message?: string | RegExp;
            details?: object;
          } = {},
        ): void {
          const { message, ...exact } = facts;
          expect(outcome).toMatchObject({ rejection: { code, ...exact } });
          const said = 'rejection' in outcome ? outcome.rejection.message : '';
          if (message instanceof RegExp) expect(said).toMatch(message);
          else if (message !== undefined) expect(said).toBe(message);
        },
      };
    },
  };
}

/** The read models after these events. */
export function projected(history: readonly Said[]): InMemoryShell {
  return shellAfter(history, domain);
}

function shellAfter(history: readonly Said[], area: DomainArea): InMemoryShell {
  const shell = new InMemoryShell(area);
  history.forEach(({ type, data, stream = ALICE, parts = [], time = START }) => {
    const event: DomainEvent = { type, version: 1, data };
    shell.append({ stream, time, events: [event], parts });
  });
  return shell;
}

export const PASSWORD_HASH = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g';

export function signedUp(name: string, admin = false): Said {
  return {
    type: 'account.SignedUp',
    data: { name, admin },
    stream: accountStream(name),
    parts: [PASSWORD_HASH, name],
  };
}

/** A valid id that tells its number: 26 characters of base32. */
export function id(number: number): string {
  const digits = number
    .toString(32)
    .replace(/./g, (digit) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(parseInt(digit, 32)));
  return digits.padStart(26, 'a');
}

export const hash = (digit: string): string => digit.repeat(64);

export function summary(more: Partial<MailSummary> = {}): Uint8Array {
  return encodeSummary({
    from: { name: 'Bob', address: 'bob@penncloud.test' },
    to: [{ name: 'Alice', address: 'alice@penncloud.test' }],
    cc: [],
    subject: 'Lunch',
    date: START,
    snippet: 'At noon?',
    attachments: [],
    ...more,
  });
}

export const RAW = 'From: bob@penncloud.test\r\nSubject: Lunch\r\n\r\nAt noon?\r\n';

export function received(messageId: string, more: Partial<Said> = {}): Said {
  return {
    type: 'mail.MessageReceived',
    data: { messageId, folder: 'inbox', via: 'smtp' },
    parts: [RAW, summary()],
    ...more,
  };
}

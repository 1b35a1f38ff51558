/**
 * What is written without a look at what was there (decision 0032): for any sequence of actions in a small mailbox,
 * whose messages, drafts and imports bear the same few ids and name the same few Message-IDs, reading it would have
 * changed nothing. The shell checks the same of each slice that an event says it does not look at.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGES_MAX } from '../../../domain/mail/conversation.ts';
import type { DomainEvent } from '../../../domain/decider.ts';
import { createDomain } from '../../../domain/domain.ts';
import type { MessageReceived } from '../../../domain/mail/events.ts';
import { encodeAnswerable } from '../../../domain/mail/message/answerable.ts';
import { encodeWords, NO_WORDS } from '../../../domain/mail/message/words.ts';
import { parseRow } from '../../../projections/keys.ts';
import type { CellKey, Projection } from '../../../projections/projection.ts';
import { createProjections } from '../../../projections/projections.ts';
import { ALICE, id, RAW, summary } from '../given.ts';
import { InMemoryShell, LIMITS, START, type Part } from '../in-memory-shell.ts';
import { AWAY, HOUR, Mailbox, named, rule } from '../mailbox.ts';
import { act, anyAction } from '../random-mail.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['PENNCLOUD_RUNS'] ?? 150);

const begins = (event: DomainEvent): boolean => (event as unknown as MessageReceived).data.begins === true;

/** As an earlier release wrote it. */
function reading(event: DomainEvent): DomainEvent {
  const { begins: _said, ...data } = event.data as { readonly begins?: true };
  return { ...event, data };
}

/** Projects each event twice: as it says that it has to be read, and with all that it would read otherwise. */
function twice(projection: Projection, isThere: (key: CellKey) => boolean): Projection {
  const keyOf = ({ row, column }: CellKey) => `${row}\0${column}`;
  return {
    ...projection,
    priors: (event, entry, content) => projection.priors(reading(event), entry, content),
    project(event, entry, content, prior) {
      const declared = new Set(projection.priors(event, entry, content).map(keyOf));
      const mutations = projection.project(event, entry, content, (key) => {
        if (!declared.has(keyOf(key))) throw new Error(`${projection.name} reads an undeclared cell`);
        return prior(key);
      });
      if (event.type !== 'mail.MessageReceived' || !begins(event)) return mutations;
      expect(mutations).toEqual(projection.project(reading(event), entry, content, prior));
      for (const mutation of mutations) {
        if (!('put' in mutation) || declared.has(keyOf(mutation.put))) continue;
        expect([projection.name, mutation.put, isThere(mutation.put)]).toEqual([
          projection.name,
          mutation.put,
          false,
        ]);
      }
      return mutations;
    },
  };
}

function watched(): Mailbox {
  const isThere = (key: CellKey): boolean => shell.bytes(key) !== undefined;
  const projections = createProjections().map((projection) => twice(projection, isThere));
  const shell = new InMemoryShell(createDomain(LIMITS), projections);
  return new Mailbox(ALICE, ['bob', 'carol'], shell);
}

const number = fc.integer({ min: 1, max: 2 });
const ids = fc
  .array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 })
  .map((list) => list.map(named));
const anyId = number.chain((n) => fc.constantFrom(id(n), id(n), `${id(n)}-in`));
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('arrive'), messageId: anyId, ids, asks: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('bring'),
      messageId: anyId,
      ids,
      folder: fc.constantFrom('trash', 'trash', 'spam', 'sent', 'archive'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('draft'), number }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write'),
      number,
      ids,
      from: fc.option(number),
      after: fc.option(fc.constant(2 * HOUR)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('throw away'), messageId: anyId }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete all') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('let pass') }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('lose'), messageId: anyId }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('be away') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forward to oneself') }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('other'), other: anyAction }) },
);
type Action = typeof action extends fc.Arbitrary<infer One> ? One : never;

function carryOut(mailbox: Mailbox, one: Action): void {
  const { shell, owner } = mailbox;
  switch (one.do) {
    case 'arrive': {
      const how = encodeAnswerable({ address: 'bob@far.example', messageId: '', references: [] });
      const asked = one.asks ? { answer: { sender: named(9), account: 'bob' } } : {};
      const data = { messageId: one.messageId, via: 'smtp', ids: one.ids, ...asked };
      const words = encodeWords({ ...NO_WORDS, body: ['lunch'] });
      return void mailbox.do('ReceiveMessage', data, [RAW, summary(), ...(one.asks ? [words, how] : [])]);
    }
    case 'bring': {
      const { messageId, ids: names, folder } = one;
      const data = { messageId, ids: names, folder, read: true, starred: false, dated: START };
      return void mailbox.do('ImportMessage', data, [RAW, summary(), encodeWords(NO_WORDS)]);
    }
    case 'draft': {
      const known = shell.slice(owner, `draft/${id(one.number)}`) as { revision: number } | undefined;
      const data = { draftId: id(one.number), revision: known?.revision ?? 0 };
      return void mailbox.do('SaveDraft', data, ['{}', summary()]);
    }
    case 'write': {
      const dueAt = one.after === null ? null : shell.time + one.after;
      const draftId = one.from === null ? null : id(one.from);
      return void mailbox.send(one.number, { ids: one.ids, recipients: ['alice', 'bob'], dueAt, draftId });
    }
    case 'throw away':
      return void mailbox.change({ messages: [one.messageId] }, { folder: 'trash' });
    case 'delete all': {
      const threads = [...shell.slices(owner, 'thread/').keys()].map((key) => key.slice('thread/'.length));
      const messages = threads.flatMap((thread) => mailbox.stateOf(thread).map((message) => message.id));
      return void (messages.length > 0 && mailbox.delete({ messages }));
    }
    case 'lose':
      mailbox.change({ messages: [one.messageId] }, { folder: 'trash' });
      mailbox.delete({ messages: [one.messageId] });
      return shell.advance(shell.time + HOUR);
    case 'let pass':
      return shell.advance(shell.time + HOUR);
    case 'be away':
      return void mailbox.setVacation({ ...AWAY });
    case 'forward to oneself':
      return void mailbox.setRules([
        rule(70, { field: 'body', word: 'lunch' }, { forward: ['alice', 'bob'] }),
      ]);
    case 'other':
      return void act(mailbox, one.other);
  }
}

/** What an early release left: messages without conversations, some of them deleted. */
const early = fc.array(fc.record({ number, isGone: fc.boolean() }), { maxLength: 2 });
type Early = typeof early extends fc.Arbitrary<infer Some> ? Some : never;

function comesEarly({ shell, owner }: Mailbox, some: Early): void {
  const append = (type: string, data: DomainEvent['data'], parts: readonly Part[] = []) =>
    shell.append({ stream: owner, time: START, events: [{ type, version: 1, data }], parts });
  for (const { number, isGone } of some) {
    const messageId = id(number);
    if (shell.slice(owner, `message/${messageId}`) !== undefined) continue;
    append('mail.MessageReceived', { messageId, folder: 'inbox', via: 'smtp' }, [RAW, summary()]);
    append('mail.MessageMoved', { messageId, from: 'inbox', to: 'trash' });
    if (isGone) append('mail.MessageDeleted', { messageId, from: 'trash' });
  }
}

/** Conversations are the same to decisions and to pages, and so are the places of their messages. */
function check(mailbox: Mailbox): void {
  const { shell, owner } = mailbox;
  const cells = shell.rows(`${owner}/mail/thread/`).map((row) => {
    const name = parseRow(row);
    return name?.kind === 'thread' ? name.thread : '';
  });
  const threads = [...shell.slices(owner, 'thread/').keys()].map((key) => key.slice('thread/'.length));
  expect(cells.toSorted()).toEqual(threads.toSorted());
  const found: string[] = [];
  for (const thread of threads) {
    const places = mailbox.stateOf(thread).map((message) => [message.id, message.folder]);
    expect(mailbox.conversation(thread)!.messages.map((message) => [message.id, message.folder])).toEqual(
      places,
    );
    found.push(...places.map(([name]) => name!));
  }
  const known = [...shell.slices(owner, 'message/').keys()].map((key) => key.slice('message/'.length));
  expect(found.toSorted()).toEqual(known.toSorted());
}

describe(`what is not read (seed ${seed})`, () => {
  const sequences = fc.array(action, { maxLength: 60, size: 'max' });

  it('was not there, whatever happened before', { timeout: 600_000 }, () => {
    let begun = 0;
    fc.assert(
      fc.property(early, sequences, (before, actions) => {
        const mailbox = watched();
        comesEarly(mailbox, before);
        for (const one of actions) {
          carryOut(mailbox, one);
          check(mailbox);
        }
        begun += mailbox.shell.log.flatMap(({ events }) => [...events]).filter(begins).length;
      }),
      { seed, numRuns: runs },
    );
    expect(begun).toBeGreaterThan(runs);
  });

  it('was not there beside a conversation that is full, or nearly', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(fc.integer({ min: -3, max: 0 }), sequences, (off, actions) => {
        const mailbox = watched();
        for (let n = 0; n < MESSAGES_MAX + off; n++) {
          mailbox.receive(n === 0 ? 1 : 100 + n, n === 0 ? [named(1), named(2)] : [named(1)]);
        }
        for (const one of actions) carryOut(mailbox, one);
        check(mailbox);
      }),
      { seed, numRuns: Math.ceil(runs / 10) },
    );
  });
});

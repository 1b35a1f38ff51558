/**
 * Alice's mailbox, as specifications see it: commands in the words of a person, and then where everything
 * lies. The store around it is in memory, the domain and the read models are the real ones.
 */
import type { Json } from '../../domain/decider.ts';
import type { RejectionCode } from '../../domain/errors.ts';
import type { ConversationSlice, MessageSlice, MessageState } from '../../domain/mail/conversation.ts';
import type { Change, MessagesChanged } from '../../domain/mail/events.ts';
import type { Folder, FoldersSlice } from '../../domain/mail/folders.ts';
import { encodeRules } from '../../domain/mail/rules/rule-list.ts';
import type { Rule, RuleActions } from '../../domain/mail/rules/rules.ts';
import { encodeVacation, type VacationSettings } from '../../domain/mail/vacation/vacation-settings.ts';
import type { WordField } from '../../domain/mail/message/words.ts';
import { accountStream } from '../../domain/streams.ts';
import {
  folderCountsCell,
  folderLineCell,
  folderRow,
  rulesCell,
  threadCell,
  vacationCell,
} from '../../projections/keys.ts';
import {
  EMPTY_FOLDER,
  readConversation,
  readFolderCounts,
  readFolderLine,
  type Conversation,
  type FolderCounts,
  type FolderLine,
} from '../../projections/mailbox-cells.ts';
import { readRules } from '../../projections/rules.ts';
import { ALICE, id, PASSWORD_HASH, RAW, summary } from './given.ts';
import { InMemoryShell, START, type Command, type Outcome, type Part } from './in-memory-shell.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export type Selected =
  | { readonly messages: readonly string[] }
  | { readonly conversations: readonly string[]; readonly in: Folder };

/** The hash of the Message-ID with this number. */
export function named(number: number): string {
  return `hash-${number}`.padEnd(22, '_');
}

/** A page of a bulk. */
export function page(...conversations: readonly string[]): string {
  return conversations.join('\n');
}

/** A rule for messages with this word. */
export function rule(
  number: number,
  { field, word }: { field: WordField; word: string },
  actions: RuleActions,
): Rule {
  const clauses = [{ terms: [{ text: word, prefix: false }], field }];
  return { id: id(number), name: word, on: true, typed: { [field]: word }, clauses, actions };
}

/** Alice is away, and says so once a week. */
export const AWAY: VacationSettings = {
  on: true,
  subject: '',
  text: 'I am away.\nBack soon.',
  first: '',
  last: '',
  from: null,
  until: null,
  everyDays: 7,
  contactsOnly: false,
  name: 'Alice',
  address: 'alice@penncloud.test',
  words: 'alice\n\n\n\ni am away back soon',
};

export class Mailbox {
  readonly shell: InMemoryShell;
  readonly owner: string;

  constructor(
    owner: string = ALICE,
    others: readonly string[] = ['bob', 'carol'],
    shell: InMemoryShell = new InMemoryShell(),
  ) {
    this.shell = shell;
    this.owner = owner;
    for (const stream of [owner, ...others.map(accountStream)]) {
      const name = stream.slice(stream.lastIndexOf('/') + 1);
      const events = [{ type: 'account.SignedUp', version: 1, data: { name, admin: false } }];
      this.shell.append({ stream, time: START, events, parts: [PASSWORD_HASH, name] });
    }
  }

  do(type: string, data: Json, parts: readonly Part[] = [], more: Partial<Command> = {}): Outcome {
    return this.shell.execute({ type: `mail.${type}`, data, parts, stream: this.owner, ...more });
  }

  /** The message with this number comes in, and names these Message-IDs. */
  receive(number: number, ids: readonly string[] = [], more: { parts?: readonly Part[] } = {}): Outcome {
    const { parts = [RAW, summary()] } = more;
    return this.do('ReceiveMessage', { messageId: id(number), via: 'smtp', ids }, parts);
  }

  send(number: number, more: { readonly [field: string]: Json } = {}, parts?: readonly Part[]): Outcome {
    const data = { messageId: id(number), recipients: ['bob'], ...more };
    return this.do('SendMessage', data, parts ?? [RAW, summary(), summary()]);
  }

  change(selected: Selected, wanted: { readonly [mark: string]: Json }): Outcome {
    return this.do('ChangeMessages', { ...selected, ...wanted });
  }

  delete(selected: Selected): Outcome {
    return this.do('DeleteMessages', selected);
  }

  /** Undoes the change that this outcome was. */
  undo(outcome: Outcome): Outcome {
    return this.do('UndoChange', { changes: changesOf(outcome), undoes: 'command-1' });
  }

  /** The rules are these from now on; `seen`: the list that whoever sets them saw, the present one by default. */
  setRules(rules: readonly Rule[], seen: readonly Rule[] = this.rules()): Outcome {
    return this.do('ChangeRules', {}, [encodeRules(rules), encodeRules(seen)]);
  }

  rules(): readonly Rule[] {
    const bytes = this.shell.bytes(rulesCell(this.owner));
    return bytes === undefined ? [] : readRules(bytes);
  }

  /** What holds while one is away is this from now on; `seen`: what whoever sets it saw, the present one by default. */
  setVacation(
    settings: VacationSettings | undefined,
    seen = this.shell.bytes(vacationCell(this.owner)),
  ): Outcome {
    const parts = [settings ? encodeVacation(settings) : '', seen ?? ''];
    return this.do('ChangeVacation', {}, parts);
  }

  makeFolder(number: number, name: string, parent: number | null = null): Outcome {
    const data = { folderId: id(number), parent: parent === null ? null : id(parent) };
    return this.do('CreateFolder', data, [name, name.toLowerCase()]);
  }

  /** Where the message with this id lies; undefined: it is not there. */
  folderOf(messageId: string): Folder | undefined {
    return this.message(messageId)?.folder;
  }

  message(messageId: string): MessageState | undefined {
    const thread = this.threadOf(messageId);
    return thread === undefined ? undefined : this.stateOf(thread).find((one) => one.id === messageId);
  }

  threadOf(messageId: string): string | undefined {
    return (this.shell.slice(this.owner, `message/${messageId}`) as MessageSlice | undefined)?.thread;
  }

  /** The messages of a conversation, as decisions see them. */
  stateOf(thread: string): readonly MessageState[] {
    return (
      (this.shell.slice(this.owner, `thread/${thread}`) as ConversationSlice | undefined)?.messages ?? []
    );
  }

  folders(): FoldersSlice {
    return (this.shell.slice(this.owner, 'folders') ?? {}) as FoldersSlice;
  }

  conversation(thread: string): Conversation | undefined {
    const bytes = this.shell.bytes(threadCell(this.owner, thread));
    return bytes && readConversation(bytes);
  }

  lines(folder: Folder): FolderLine[] {
    return this.shell.columns(folderRow(this.owner, folder)).map((order) => {
      const bytes = this.shell.bytes(folderLineCell(this.owner, folder, order));
      return readFolderLine(bytes ?? new Uint8Array());
    });
  }

  counts(folder: Folder): FolderCounts {
    const bytes = this.shell.bytes(folderCountsCell(this.owner, folder));
    return bytes === undefined ? EMPTY_FOLDER : readFolderCounts(bytes);
  }
}

/** What of an outcome an undo names. */
export function changesOf(outcome: Outcome): Change[] {
  if ('rejection' in outcome) throw new Error(`it was refused: ${outcome.rejection.message}`);
  return outcome.events
    .filter(({ type }) => type === 'mail.MessagesChanged')
    .flatMap((event) => (event as MessagesChanged).data.members)
    .map(({ id: messageId, thread, from, to }) => ({ id: messageId, thread, from, to }));
}

export function codeOf(outcome: Outcome): RejectionCode | undefined {
  return 'rejection' in outcome ? outcome.rejection.code : undefined;
}

export function replyOf(outcome: Outcome): Json | undefined {
  return 'reply' in outcome ? outcome.reply : undefined;
}

/** How many events came of it; a rejection is no answer here. */
export function eventsOf(outcome: Outcome): readonly string[] {
  if ('rejection' in outcome) throw new Error(`it was refused: ${outcome.rejection.message}`);
  return outcome.events.map(({ type }) => type);
}

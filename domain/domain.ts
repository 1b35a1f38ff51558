/**
 * The whole domain: every command and every event by its full name, `area.Name`. This is what the shell
 * of a tablet runs. An event of a version that is not known here stops whoever applies it, with the
 * reason, rather than being applied wrongly.
 */
import { createAccount } from './account/decider.ts';
import { createConsole } from './account/console.ts';
import { createContacts } from './contacts/decider.ts';
import type { CommandHandler, DomainArea, DomainEvent, EventHandler } from './decider.ts';
import { createDrive } from './drive/decider.ts';
import { createKv } from './kv/decider.ts';
import { nextInTurn } from './mail/changes/bulk.ts';
import { createMail } from './mail/mail.ts';
import type { ReactionSettled } from './mail/settled.ts';
import { createOutbound } from './outbound/outbound.ts';

export type DomainLimits = { readonly kvValueBytesMax: number; readonly messageBytesMax: number };

export type Domain = {
  readonly commands: Readonly<Record<string, CommandHandler>>;
  readonly events: Readonly<Record<string, EventHandler>>;
};

export function createDomain(limits: DomainLimits): Domain {
  return assembled([
    createKv({ valueBytesMax: limits.kvValueBytesMax }),
    createAccount(),
    createConsole(),
    createMail({ messageBytesMax: limits.messageBytesMax }),
    createOutbound({ messageBytesMax: limits.messageBytesMax }),
    createDrive(),
    createContacts(),
    platform,
  ]);
}

/**
 * The platform's own event: how a reaction ended. It changes no slice (the shell keeps pending reactions
 * itself); mail's read model shows it as the state of a delivery, and a bulk goes on by it.
 */
const platform: DomainArea = {
  commands: {},
  events: {
    'platform.ReactionSettled': {
      touches: () => [],
      evolve: (_key, slice) => slice,
      reactions: (event, stream) => nextInTurn(event as ReactionSettled, stream),
    },
  },
};

const VERSION_KNOWN = 1;

function assembled(areas: readonly DomainArea[]): Domain {
  // Without a prototype: names of commands come from outside, and 'constructor' is not one of ours.
  const commands: Record<string, CommandHandler> = Object.create(null) as Record<string, CommandHandler>;
  const events: Record<string, EventHandler> = Object.create(null) as Record<string, EventHandler>;
  for (const area of areas) {
    for (const [name, handler] of Object.entries(area.commands)) claim(commands, name, handler);
    for (const [name, handler] of Object.entries(area.events)) claim(events, name, ofKnownVersion(handler));
  }
  return { commands, events };
}

function claim<Handler>(handlers: Record<string, Handler>, name: string, handler: Handler): void {
  if (name in handlers) throw new Error(`defect: two areas of the domain define ${name}`);
  handlers[name] = handler;
}

function ofKnownVersion(handler: EventHandler): EventHandler {
  return {
    ...(handler.isBlind && { isBlind: (key, event) => handler.isBlind!(key, event) }),
    touches(event, content) {
      checkVersion(event);
      return handler.touches(event, content);
    },
    evolve(key, slice, event, content, time) {
      checkVersion(event);
      return handler.evolve(key, slice, event, content, time);
    },
    ...(handler.reactions && {
      reactions(event, stream, content, time) {
        checkVersion(event);
        return handler.reactions?.(event, stream, content, time) ?? [];
      },
    }),
  } satisfies EventHandler;
}

function checkVersion(event: DomainEvent): void {
  if (event.version !== VERSION_KNOWN) {
    throw new Error(
      `${event.type} is of version ${event.version}, and this release knows version ${VERSION_KNOWN}: ` +
        'upgrade this node before it goes on.',
    );
  }
}

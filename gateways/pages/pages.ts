/**
 * What every page stands on: who visits, the form that was sent, the command that follows, and the
 * rendered answer. Holds no state of its own, so that any gateway can answer any request.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Accepted } from '../../storage-nodes/client/client.ts';
import { boundId, commandExpiry, isCommandId, isCurrent } from './command-ids.ts';
import { Cookies } from './cookies.ts';
import { csrfToken, csrfTokenHolds, fromThisHost } from './csrf.ts';
import type { GatewayDeps } from './deps.ts';
import type { Fields } from './form.ts';
import { badField, PageRefusal } from './refusals.ts';
import { Visits } from './visit.ts';
import { datesOf } from './wording.ts';

export type PageView = {
  readonly title: string;
  /** Path below gateways/, e.g. 'web/mail/list/folder.hbs'. */
  readonly template: string;
  readonly section?: 'mail' | 'drive' | 'account' | 'admin';
  readonly status?: number;
  /** A refusal to show on the page. */
  readonly alert?: string | undefined;
  /** Something that was done, to show on the page. */
  readonly done?: string | undefined;
  /** The entry that `done` speaks of, if it can be undone. */
  readonly undo?: string | undefined;
  readonly data?: Readonly<Record<string, unknown>>;
};

export type Sender = {
  readonly actor: string;
  readonly sessionHash: string;
  /** The cookie of who has no account: their forms are told apart by it. */
  readonly visitor?: string | undefined;
};

export type FormCommand = {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  readonly parts?: readonly Uint8Array[];
  /** What the person did, in words. */
  readonly action: string;
};

export class Pages {
  readonly deps: GatewayDeps;
  readonly cookies: Cookies;
  readonly visits: Visits;

  constructor(deps: GatewayDeps) {
    this.deps = deps;
    this.cookies = new Cookies({ secure: deps.cookieSecure, secret: deps.cookieSecret });
    this.visits = new Visits(deps.store, this.cookies);
  }

  /** The fields of a form that our own page sent, with its command id. Throws PageRefusal 403 or 400. */
  form(request: FastifyRequest): { fields: Fields; commandId: string } {
    const fields = (typeof request.body === 'object' && request.body !== null ? request.body : {}) as Fields;
    return { fields, commandId: this.checkForm(request, fields) };
  }

  checkForm(request: FastifyRequest, fields: Fields): string {
    const token = fields['csrf'];
    const subject = this.subjectOf(request);
    const holds =
      typeof token === 'string' &&
      subject !== undefined &&
      csrfTokenHolds(this.deps.cookieSecret, subject, token);
    if (!holds || !fromThisHost(request.headers)) {
      throw new PageRefusal(
        403,
        'This form has gone stale',
        'This form was not sent from a page that we showed you, or you have logged in or out since. Open the page again and send it once more.',
      );
    }
    const commandId = fields['commandId'];
    if (!isCommandId(commandId))
      throw badField('The field commandId is missing: open the page again and send the form once more.');
    if (!isCurrent(commandId, Date.now())) {
      throw new PageRefusal(
        403,
        'This form has gone stale',
        'This form was opened more than a week ago. Open the page again and send it once more.',
      );
    }
    return commandId;
  }

  /** Sends what a form asks for; sent again by the same person, it is answered as the first time. */
  send(sender: Sender, command: FormCommand): Promise<Accepted> {
    return this.deps.store.execute({
      id: boundId(command.id, [sender.actor, sender.visitor ?? '', command.stream]),
      expiresAt: commandExpiry(command.id),
      stream: command.stream,
      type: command.type,
      data: command.data,
      parts: command.parts ?? [],
      actor: sender.actor,
      session: sender.sessionHash,
      action: command.action,
    });
  }

  /** Renders a whole page. */
  show(request: FastifyRequest, reply: FastifyReply, view: PageView): FastifyReply {
    void reply
      .status(view.status ?? 200)
      .header('cache-control', 'no-store')
      .view(view.template, this.viewData(request, reply, view), { layout: 'pages/layout.hbs' });
    return reply;
  }

  /** Renders only the part of a page that changes, for the script to swap in. */
  showFragment(request: FastifyRequest, reply: FastifyReply, view: PageView): FastifyReply {
    void reply.header('cache-control', 'no-store').view(view.template, this.viewData(request, reply, view));
    return reply;
  }

  private viewData(request: FastifyRequest, reply: FastifyReply, view: PageView): Record<string, unknown> {
    this.cookies.visitor(request, reply);
    return {
      ...view.data,
      title: view.title,
      section: { [view.section ?? 'none']: true },
      alert: view.alert,
      done: view.done,
      undo: view.undo,
      here: withoutFragment(request.url),
      account: request.visit?.account,
      at: request.visit?.at,
      dates: datesOf(request.visit?.profile),
      csrf: csrfToken(this.deps.cookieSecret, this.subjectOf(request) ?? ''),
    };
  }

  /** The cookie that this visitor's forms hang on. */
  private subjectOf(request: FastifyRequest): string | undefined {
    return (
      this.cookies.read(request, 'pc_session') ??
      this.cookies.read(request, 'pc_console') ??
      this.cookies.read(request, 'pc_visitor')
    );
  }
}

/** The page's own address, also while a part of it is fetched. */
function withoutFragment(url: string): string {
  if (!URL.canParse(url, 'http://here')) return '/';
  const parsed = new URL(url, 'http://here');
  parsed.searchParams.delete('fragment');
  return parsed.pathname + parsed.search;
}

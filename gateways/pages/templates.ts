/**
 * Handlebars, set up: the layout, the partials that pages share, and the few words that templates know.
 * Everything a template prints is escaped, except the markup that these words make themselves.
 */
import { join } from 'node:path';
import fastifyView from '@fastify/view';
import type { FastifyInstance } from 'fastify';
import Handlebars from 'handlebars';
import type { AssetUrls } from './assets.ts';
import { newCommandId } from './command-ids.ts';
import { icon } from './icons.ts';
import { projectRoot } from './project-root.ts';
import { counted, sizeInWords, timeInWords, type DateForm, type DatesStyle } from './wording.ts';

const PARTIALS: Readonly<Record<string, string>> = {
  'form-keys': 'pages/form-keys.hbs',
  notices: 'pages/notices.hbs',
  pager: 'pages/pager.hbs',
  folders: 'web/mail/folders/folders.hbs',
  'message-list': 'web/mail/list/message-list.hbs',
  'list-form': 'web/mail/list/list-form.hbs',
  told: 'web/mail/told.hbs',
  'conversation-star': 'web/mail/list/conversation-star.hbs',
  'read-toggle': 'web/mail/read-toggle.hbs',
  'search-box': 'web/mail/search/search-box.hbs',
  'one-message': 'web/mail/reading/one-message.hbs',
  deliveries: 'web/mail/reading/deliveries.hbs',
  away: 'web/mail/vacation/away.hbs',
  'away-words': 'web/mail/vacation/away-words.hbs',
  attachments: 'web/mail/reading/attachments.hbs',
  attachment: 'web/mail/reading/attachment.hbs',
  invitation: 'web/mail/reading/invitation.hbs',
  unsubscribe: 'web/mail/reading/unsubscribe.hbs',
  'draft-alerts': 'web/writing/draft-alerts.hbs',
  'draft-state': 'web/writing/draft-state.hbs',
  'book-aside': 'web/contacts/aside.hbs',
  'book-pager': 'web/contacts/pager.hbs',
  'file-list': 'web/drive/file-list.hbs',
  'account-head': 'web/account/head.hbs',
  'admin-tabs': 'admin/tabs.hbs',
  'admin-counts': 'admin/counts.hbs',
  'admin-nodes': 'admin/node-table.hbs',
  'admin-queue': 'admin/queue-list.hbs',
  'admin-queue-recipients': 'admin/queue-recipients.hbs',
};

export async function registerTemplates(
  app: FastifyInstance,
  assets: AssetUrls,
  frontDoorPort: number | undefined,
): Promise<void> {
  const handlebars = Handlebars.create();
  const safe = (html: string) => new handlebars.SafeString(html);
  handlebars.registerHelper({
    icon: (name: string) => safe(icon(name)),
    asset: (name: keyof AssetUrls) => assets[name],
    // '' where people only ever see the front door.
    frontDoorPort: () => frontDoorPort ?? '',
    // Every form has a command of its own: the answer to one must never be taken for another's.
    newCommandId: () => newCommandId(),
    size: (bytes: unknown) => (typeof bytes === 'number' ? sizeInWords(bytes) : ''),
    counted: (count: number, one: string, many: unknown) =>
      counted(count, one, typeof many === 'string' ? many : undefined),
    // The script writes the time anew in the reader's own zone, in the same form, where none was chosen.
    time: (at: unknown, form: unknown, options: { data: { root: { dates?: DatesStyle } } }) => {
      const { dates } = options.data.root;
      const written: DateForm = form === 'list' ? 'list' : 'full';
      const told = typeof at === 'number' ? timeInWords(at, dates, written) : undefined;
      if (told === undefined) return '';
      // Written in Arabic, say, it must not reorder the English around it.
      const lang = dates?.locale ? ` dir="auto" lang="${handlebars.escapeExpression(dates.locale)}"` : '';
      const words = handlebars.escapeExpression(told.words);
      return safe(`<time datetime="${told.iso}" data-form="${written}"${lang}>${words}</time>`);
    },
    same: (a: unknown, b: unknown) => a === b,
  });
  await app.register(fastifyView, {
    engine: { handlebars },
    root: join(projectRoot(), 'gateways'),
    // Templates are read and compiled once, also outside of production: pages behave the same everywhere.
    production: true,
    options: { partials: PARTIALS },
  });
}

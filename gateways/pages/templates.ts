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
import { counted, sizeInWords, timeInWords } from './wording.ts';

const PARTIALS: Readonly<Record<string, string>> = {
  'form-keys': 'pages/form-keys.hbs',
  notices: 'pages/notices.hbs',
  pager: 'pages/pager.hbs',
  folders: 'web/mail/folders.hbs',
  'message-list': 'web/mail/message-list.hbs',
  attachments: 'web/mail/attachments.hbs',
  attachment: 'web/mail/attachment.hbs',
  invitation: 'web/mail/invitation.hbs',
  unsubscribe: 'web/mail/unsubscribe.hbs',
  'file-list': 'web/drive/file-list.hbs',
  'admin-tabs': 'admin/tabs.hbs',
  'admin-counts': 'admin/counts.hbs',
  'admin-nodes': 'admin/node-table.hbs',
};

export async function registerTemplates(app: FastifyInstance, assets: AssetUrls): Promise<void> {
  const handlebars = Handlebars.create();
  const safe = (html: string) => new handlebars.SafeString(html);
  handlebars.registerHelper({
    icon: (name: string) => safe(icon(name)),
    asset: (name: keyof AssetUrls) => assets[name],
    // Every form has a command of its own: the answer to one must never be taken for another's.
    newCommandId: () => newCommandId(),
    size: (bytes: unknown) => (typeof bytes === 'number' ? sizeInWords(bytes) : ''),
    counted: (count: number, one: string, many: unknown) =>
      counted(count, one, typeof many === 'string' ? many : undefined),
    // `form` tells the script how to write the time in the reader's own zone: list, full.
    time: (at: unknown, form: string) => {
      const told = typeof at === 'number' ? timeInWords(at) : undefined;
      if (told === undefined) return '';
      return safe(
        `<time datetime="${told.iso}" data-form="${form === 'list' ? 'list' : 'full'}">${told.words}</time>`,
      );
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

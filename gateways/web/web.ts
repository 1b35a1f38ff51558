/** The pages that people use: account, mail, files, and what makes them live. */
import type { FastifyInstance } from 'fastify';
import type { GatewayDeps } from '../pages/deps.ts';
import { Pages } from '../pages/pages.ts';
import { Passwords } from '../pages/passwords.ts';
import { registerAccount } from './account/account.ts';
import { registerHome } from './account/home.ts';
import { LogIn } from './account/log-in.ts';
import { registerPassword } from './account/password.ts';
import { registerSignUp } from './account/sign-up.ts';
import { registerDownload } from './drive/download.ts';
import { registerDrive } from './drive/drive.ts';
import { registerUpload } from './drive/upload.ts';
import { registerLive } from './live/live.ts';
import { registerActions } from './mail/actions.ts';
import { registerCompose } from './mail/compose.ts';
import { registerFolder } from './mail/folder.ts';
import { registerMessageParts } from './mail/message-parts.ts';
import { registerMessage } from './mail/message.ts';
import { registerOwnFolders } from './mail/own-folders.ts';
import { registerSearch } from './mail/search/search.ts';
import { registerUndo } from './undo/undo.ts';

export function registerWeb(app: FastifyInstance, deps: GatewayDeps): void {
  const pages = new Pages(deps);
  const passwords = new Passwords();
  const logIn = new LogIn(pages, passwords);
  registerHome(app, pages, logIn);
  logIn.register(app);
  registerSignUp(app, pages, passwords, logIn);
  registerAccount(app, pages);
  registerPassword(app, pages, passwords);
  registerFolder(app, pages);
  registerCompose(app, pages);
  registerMessage(app, pages);
  registerMessageParts(app, pages);
  registerActions(app, pages);
  registerOwnFolders(app, pages);
  registerSearch(app, pages);
  registerUndo(app, pages);
  registerDrive(app, pages);
  registerUpload(app, pages);
  registerDownload(app, pages);
  registerLive(app, pages);
}

/** `penncloud import …`: mail out of mailbox files into an account; run again, it goes on where it was cut off. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { checkAccountName } from '../../domain/account/names.ts';
import { parsed } from '../../domain/fields.ts';
import { Fault } from '../../storage-nodes/faults.ts';
import { Filing } from '../mailboxes/filing.ts';
import { NotMbox } from '../mailboxes/mbox.ts';
import { fromEml, fromMaildir, fromMbox, type Found, type Progress } from '../mailboxes/sources.ts';
import { operatorCommand, withStore } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printable, printJson } from './print.ts';

export type ImportOptions = { readonly folder?: string; readonly json?: boolean };
export type SourceKind = 'mbox' | 'maildir' | 'eml';

const REFUSED_SHOWN_MAX = 20;
const PROGRESS_MS = 1000;

export async function importMail(
  kind: SourceKind,
  account: string,
  paths: readonly string[],
  { folder, json }: ImportOptions,
): Promise<void> {
  const checked = parsed(() => checkAccountName(account, 'username'));
  if ('rejection' in checked) throw new BadInput(checked.rejection.message);
  for (const path of paths) await checkReadable(path);
  await withStore(async (store, { settings }) => {
    const place = folder?.split('/').filter((name) => name !== '');
    const filing = new Filing(store, account, operatorCommand, place);
    const { messageBytesMax } = settings;
    try {
      for (const [i, path] of kind === 'eml' ? ['.eml files'].entries() : paths.entries()) {
        const progress: Progress = { done: 0, total: 0 };
        const source = sourceOf(kind, kind === 'eml' ? paths : [paths[i]!], messageBytesMax, progress);
        await filing.file(source, reporter(filing, path, progress));
      }
    } catch (error) {
      if (error instanceof NotMbox) throw new BadInput(error.message);
      if (!(error instanceof Fault)) throw error;
      const { imported, known } = filing.outcome;
      throw new Failed(
        `${error.message} ${imported + known} messages are in the account; run the same command again to go on.`,
      );
    }
    const { imported, known, refused } = filing.outcome;
    if (json) printJson({ imported, known, refused });
    else {
      console.log(
        `Imported ${imported} messages; ${known} were there already; ${refused.length} were refused.`,
      );
      for (const { name, why } of refused.slice(0, REFUSED_SHOWN_MAX))
        console.error(`${printable(name)}: ${why}`);
      if (refused.length > REFUSED_SHOWN_MAX) console.error('… (--json lists all)');
    }
    if (refused.length > 0) process.exitCode = 1;
  });
}

function sourceOf(
  kind: SourceKind,
  paths: readonly string[],
  messageBytesMax: number,
  progress: Progress,
): AsyncGenerator<Found> {
  switch (kind) {
    case 'mbox':
      return fromMbox(paths[0]!, messageBytesMax, progress);
    case 'maildir':
      return fromMaildir(paths[0]!, messageBytesMax, progress);
    case 'eml':
      return fromEml(paths, messageBytesMax, progress);
  }
}

async function checkReadable(path: string): Promise<void> {
  await access(path, constants.R_OK).catch((error: Error) => {
    throw new BadInput(`${path} cannot be read: ${error.message}.`);
  });
}

/** A line a second on standard error, where somebody watches. */
function reporter({ outcome }: Filing, path: string, progress: Progress): () => void {
  let next = performance.now() + PROGRESS_MS;
  return () => {
    if (!process.stderr.isTTY || performance.now() < next) return;
    next = performance.now() + PROGRESS_MS;
    const share = progress.total === 0 ? 100 : Math.floor((100 * progress.done) / progress.total);
    const { imported, known } = outcome;
    process.stderr.write(`${path}: ${share} %, ${imported} imported, ${known} there already\n`);
  };
}

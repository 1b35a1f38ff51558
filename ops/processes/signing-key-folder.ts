/** Where the keys lie that mail is signed with: secrets of the data folder, to be kept with its backups. */
import { join } from 'node:path';

export function signingKeyFolder(dataFolder: string): string {
  return join(dataFolder, 'secrets', 'dkim');
}

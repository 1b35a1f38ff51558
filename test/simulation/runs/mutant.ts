/** A mutant: production code with one safety rule disabled. An edit names text that stands exactly once in its file. */
export type Edit = { readonly file: string; readonly find: string; readonly put: string };
export type Mutant = { readonly name: string; readonly rule: string; readonly edits: readonly Edit[] };

export const replication = (file: string): string => `storage-nodes/replication/${file}.ts`;
export const tablet = (file: string): string => `storage-nodes/tablet/${file}.ts`;
export const log = (file: string): string => `storage-nodes/log/${file}.ts`;

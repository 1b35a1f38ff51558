/** What decisions remember of a bulk: that it runs or was undone, and of each step whom it changed, and how. */
import type { StateKey } from '../../decider.ts';
import type { BulkChange, Change } from '../events.ts';
import type { Folder } from '../folders.ts';

export type BulkSlice = {
  readonly in: readonly Folder[];
  readonly to: BulkChange;
  readonly pages: number;
  /** Messages that come later are not meant. */
  readonly at: number;
  readonly undone: boolean;
};
export type BulkStepSlice = { readonly members: readonly Change[] };

export const bulkKey = (bulkId: string): StateKey => `bulk/${bulkId}`;
export const bulkStepKey = (bulkId: string, page: number): StateKey => `bulk/${bulkId}/${page}`;

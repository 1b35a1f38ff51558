/** What has happened to an address book. What it holds lies in the entry's parts. */
import type { BookKind } from './book.ts';

/** `was` and `is`: whether it was there before, and is there after. */
export type BookChange = {
  readonly id: string;
  readonly kind: BookKind;
  readonly was: boolean;
  readonly is: boolean;
};

/**
 * Contacts and groups were added, changed or deleted. Parts, two for each change: as it is (empty if it is gone),
 * as it was (empty if it was not there).
 */
export type BookChanged = {
  readonly type: 'contacts.BookChanged';
  readonly version: 1;
  readonly data: { readonly changes: readonly BookChange[] };
};

/** Addresses collected from sent mail are forgotten for good. Part 0: their keys, a JSON list. */
export type AddressesForgotten = {
  readonly type: 'contacts.AddressesForgotten';
  readonly version: 1;
  readonly data: { readonly count: number };
};

/** Whether addresses are collected from mail that is sent from now on. */
export type CollectingSet = {
  readonly type: 'contacts.CollectingSet';
  readonly version: 1;
  readonly data: { readonly on: boolean; readonly before: boolean };
};

export type ContactsEvent = BookChanged | AddressesForgotten | CollectingSet;

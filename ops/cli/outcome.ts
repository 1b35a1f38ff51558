/**
 * How a command ends: exit code 0 when it did what was asked, 1 when it could not, 2 when what was asked
 * makes no sense (bad input, wrong usage). A message is one or two lines for a person, never a stack,
 * except for a defect of ours.
 */
import { CommanderError } from 'commander';
import type { RejectionCode } from '../../domain/errors.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { Fault } from '../../storage-nodes/faults.ts';
import { ClusterFileError } from '../processes/cluster-file.ts';
import { SettingsError } from '../processes/settings.ts';

/** What was asked could not be done. */
export class Failed extends Error {}

/** What was asked is not something that can be asked; the message names the field and the limit. */
export class BadInput extends Error {}

const BAD_INPUT: ReadonlySet<RejectionCode> = new Set(['Malformed', 'TooLarge', 'UnknownCommand']);

export function exitOf(error: unknown): { code: number; message: string | undefined } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : 2, message: undefined };
  if (error instanceof BadInput || error instanceof SettingsError) return { code: 2, message: error.message };
  if (error instanceof Failed || error instanceof ClusterFileError)
    return { code: 1, message: error.message };
  if (error instanceof Rejected) {
    return { code: BAD_INPUT.has(error.rejection.code) ? 2 : 1, message: error.rejection.message };
  }
  if (error instanceof Fault) return { code: 1, message: `${error.message} (${error.code})` };
  return { code: 1, message: error instanceof Error ? error.stack : String(error) };
}

/** For commander's option parsers: a whole number between two limits. */
export function wholeNumber(field: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > max) {
      throw new BadInput(
        `${field} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`,
      );
    }
    return number;
  };
}

/** Likewise: a number above zero, also with a fraction. */
export function positiveNumber(field: string, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || number <= 0 || number > max) {
      throw new BadInput(
        `${field} must be a number above 0, up to ${max}, such as 5 or 0.5, not ${JSON.stringify(text)}.`,
      );
    }
    return number;
  };
}

/**
 * What goes wrong on a page, and how it is told: every failure becomes a status and one sentence in an
 * element with role="alert". A person never sees a stack trace; a defect is logged with the request's id.
 */
import type { RejectionCode } from '../../domain/errors.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { Fault } from '../../storage-nodes/faults.ts';
import { TooManyChecks } from '../passwords/passwords.ts';

export class PageRefusal extends Error {
  readonly status: number;
  readonly title: string;
  constructor(status: number, title: string, message: string) {
    super(message);
    this.name = 'PageRefusal';
    this.status = status;
    this.title = title;
  }
}

/** The visitor must log in first. */
export class LoggedOut extends Error {}

export function notFound(what: string): PageRefusal {
  return new PageRefusal(404, 'Not found', what);
}

/** A field of a form is missing, malformed or over its limit; the sentence names field and limit. */
export function badField(message: string): PageRefusal {
  return new PageRefusal(400, 'Please check the form', message);
}

export type Telling = {
  readonly status: number;
  readonly title: string;
  readonly message: string;
  readonly retryAfterS?: number;
};

/** How to tell an error to a person; undefined: a defect, to be logged and told in general words. */
export function tell(error: unknown): Telling | undefined {
  if (error instanceof PageRefusal)
    return { status: error.status, title: error.title, message: error.message };
  if (error instanceof Rejected) {
    return {
      status: STATUS_OF[error.rejection.code],
      title: 'That was not possible',
      message: error.rejection.message,
    };
  }
  if (error instanceof TooManyChecks) return { status: 503, title: 'Busy', message: error.message };
  if (error instanceof Fault) return tellFault(error);
  return tellFramework(error);
}

const STATUS_OF: Readonly<Record<RejectionCode, number>> = {
  Malformed: 400,
  UnknownCommand: 400,
  NameTaken: 409,
  NoSuchAccount: 404,
  WrongPassword: 401,
  SessionEnded: 401,
  NoSuchMessage: 404,
  NoSuchFolder: 404,
  NoSuchFile: 404,
  ValueMismatch: 409,
  LinkSpent: 410,
  ChangedSince: 409,
  ClaimedByAnother: 409,
  ClaimLost: 409,
  NoSuchItem: 404,
  CodeNeeded: 401,
  WrongCode: 401,
  Stale: 409,
  NoSuchIdentity: 404,
  NoSuchContact: 404,
  TooMany: 409,
  TooLarge: 413,
};

function tellFault(fault: Fault): Telling {
  if (fault.code === 'OutcomeUnknown' || fault.code === 'Unavailable') {
    return {
      status: 503,
      title: 'No answer from the store',
      message:
        'The store did not answer in time, so it is not known whether this was done. Sending the same form again is safe: it acts once.',
      retryAfterS: 3,
    };
  }
  return {
    status: 503,
    title: 'The store is busy',
    message: 'The store cannot answer just now. Nothing was changed: please try again in a moment.',
    retryAfterS: 3,
  };
}

function tellFramework(error: unknown): Telling | undefined {
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined;
  const told = { status: statusCode, title: 'That request was not understood' };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { ...told, title: 'Too large', message: 'The form is larger than this page accepts.' };
    case 'FST_REQ_FILE_TOO_LARGE':
      return { ...told, title: 'Too large', message: 'The file is larger than this page accepts.' };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        ...told,
        message: 'This page takes forms only (application/x-www-form-urlencoded or multipart/form-data).',
      };
  }
  if (statusCode === 429) return { ...told, title: 'Too many tries', message: (error as Error).message };
  return { ...told, message: 'The request is malformed.' };
}

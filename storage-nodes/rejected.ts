import type { Rejection } from '../domain/errors.ts';

/** Thrown by `execute` when the domain refuses: nothing has changed. */
export class Rejected extends Error {
  readonly rejection: Rejection;
  constructor(rejection: Rejection) {
    super(rejection.message);
    this.name = 'Rejected';
    this.rejection = rejection;
  }
}

/**
 * A refusal in SMTP's own words: reply code (RFC 5321 §4.2), enhanced code (RFC 3463), a sentence for
 * the postmaster at the other end. 4xx asks the client to try again, 5xx tells it not to.
 */
export class SmtpReply extends Error {
  /** Named as smtp-server reads it. */
  readonly responseCode: number;
  constructor(code: number, enhanced: `${2 | 4 | 5}.${number}.${number}`, text: string) {
    super(`${enhanced} ${text}`);
    this.name = 'SmtpReply';
    this.responseCode = code;
  }
}

/** The store does not answer, or its answer is not known: nothing was promised, so trying again is safe. */
export function tryAgain(): SmtpReply {
  return new SmtpReply(451, '4.3.0', 'The mail store cannot be reached now, try again later');
}

export function tooLarge(limitBytes: number): SmtpReply {
  return new SmtpReply(552, '5.3.4', `The message is larger than the limit of ${limitBytes} bytes`);
}

/** What a draft holds, whoever writes it: a form, or an import. A form's refusals name these. */

/** Of To, of Cc and of Bcc each, as typed. */
export const ADDRESSES_BYTES_MAX = 32 * 1024;
export const SUBJECT_BYTES_MAX = 998;
/** Of the text, plain or formatted. */
export const TEXT_BYTES_MAX = 2 * 1024 * 1024;
export const ATTACHMENTS_MAX = 100;
/** All attachments of a message together, decoded; "25 MB" in words. */
export const ATTACHMENTS_BYTES_MAX = 25_000_000;

/** What was typed into a form that makes an account, on the sign-up page or in the console. */
import { field, type Fields } from './form.ts';
import { PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN } from '../passwords/passwords.ts';
import { badField } from './refusals.ts';

export type NewAccount = { readonly name: string; readonly displayName: string; readonly password: string };

/** Throws PageRefusal naming field and limit; whether the name is well-formed and free, the domain says. */
export function newAccount(fields: Fields): NewAccount {
  const name = field(fields, 'username', { label: 'Username', bytesMax: 256, required: true })
    .trim()
    .toLowerCase();
  const displayName = field(fields, 'displayName', { label: 'Your name', bytesMax: 255 }).trim();
  return { name, displayName, password: newPassword(fields, 'password', 'Password') };
}

/** A password that someone chooses. Throws PageRefusal naming the field, by its label, and the limit. */
export function newPassword(fields: Fields, name: string, label: string): string {
  const password = field(fields, name, { label, bytesMax: PASSWORD_BYTES_MAX, required: true });
  if (password.length < PASSWORD_CHARS_MIN) {
    throw badField(
      `${label} is too short: at least ${PASSWORD_CHARS_MIN} characters, this has ${password.length}.`,
    );
  }
  return password;
}

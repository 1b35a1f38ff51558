/** A setting of several values with commas between them; spaces around them are nobody's meaning. */
import { z } from 'zod';

/** Empty ones are left out, so that nothing is an empty list. */
export const commaList = z.string().transform((list) =>
  list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== ''),
);

/** The part of mailauth's own tools that look-ups.ts and alignment.ts use; it comes without types. */
declare module 'mailauth/lib/tools.js' {
  /** The first domain of the list that belongs to the same organisation (public suffix list), or that is the same one. */
  export function getAlignment(fromDomain: string, domains: readonly string[]): { domain: string } | false;
}

/** The untyped parts of `mailauth` that dkim-fields.ts uses: its signer, of which one step is replaced, and what that step needs. */
declare module 'mailauth/lib/dkim/dkim-signer.js' {
  import type { Writable } from 'node:stream';

  /** Of one header field: its lower-case name, its name as written, its lines. */
  type Field = { readonly key: string; readonly casedKey: string; readonly line: Buffer };

  export class DkimSigner extends Writable {
    constructor(options: {
      readonly canonicalization: string;
      readonly algorithm: string;
      /** It hashes the body for entries with a private key only. */
      readonly signatureData: readonly { readonly privateKey: string }[];
    });
    /** False until the header has been read to its end. */
    headers: { readonly parsed: readonly Field[] } | false;
    /** By `canonicalization:hash:length`; `hash` is base64, there when the body has been read. */
    readonly bodyHashes: ReadonlyMap<string, { readonly hash: string }>;
    /** Called at the end of the message, and waited for. */
    finalize(): Promise<void>;
  }
}

declare module 'mailauth/lib/dkim/header/index.js' {
  import type { SigningLines, SignatureTags } from 'mailauth/lib/tools.js';

  export function generateCanonicalizedHeader(
    type: 'DKIM',
    lines: SigningLines,
    options: {
      readonly signingDomain: string;
      readonly selector: string;
      readonly algorithm: string;
      readonly canonicalization: string;
      readonly bodyHash: string;
      readonly signTime: Date;
    },
  ): { readonly canonicalizedHeader: Buffer; readonly dkimHeaderOpts: SignatureTags };
}

declare module 'mailauth/lib/tools.js' {
  export type SigningLines = {
    /** The tag h=: names, with `: ` between them. */
    readonly keys: string;
    readonly headers: readonly { readonly line: Buffer }[];
  };
  export type SignatureTags = Readonly<Record<string, string | number>>;

  export function getSigningHeaderLines(
    parsed: readonly { readonly key: string; readonly casedKey: string; readonly line: Buffer }[],
  ): SigningLines;
  export function formatSignatureHeaderLine(type: 'DKIM', tags: SignatureTags, isFolded: true): string;
  export function writeToStream(stream: NodeJS.WritableStream, input: Buffer): Promise<void>;
}

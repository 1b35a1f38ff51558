/**
 * How a download is named (RFC 6266): a quoted ASCII name for old clients, and the true name in
 * RFC 5987's encoding. Names come from strangers: folders, quotes, line ends and characters that
 * reorder text never reach the header or the disk.
 */

/** The rule for what someone sent: to be saved, not shown. */
export function attachmentDisposition(name: string): string {
  return disposition('attachment', name);
}

/** For previews alone, whose media type and policy are ours. */
export function inlineDisposition(name: string): string {
  return disposition('inline', name);
}

function disposition(kind: 'attachment' | 'inline', name: string): string {
  const safe = downloadName(name);
  const ascii = safe.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_');
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encodeRfc5987(safe)}`;
}

/** One path segment without controls, never empty, `.` or `..`. */
export function downloadName(name: string): string {
  const lastSegment = name.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const clean = lastSegment
    .replace(/[\0-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .trim();
  return /^\.*$/.test(clean) ? 'download' : clean;
}

/** RFC 5987 §3.2.1: attr-char stands for itself, every other byte as %XX. */
function encodeRfc5987(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

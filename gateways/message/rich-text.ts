/**
 * Formatted text as people write it here: what an editor made is reduced to a few tags without styles, and a
 * plain text is made of it for those who read plain text. What always holds: nothing but the tags below, and
 * links to http, https and mailto, is left; text that looks like markup stays text.
 */
import sanitize from 'sanitize-html';

const TAGS = ['p', 'div', 'br', 'b', 'strong', 'i', 'em', 'u', 'ul', 'ol', 'li', 'a', 'blockquote'];
const NESTING_MAX = 30;

/**
 * Markup for a message's body, without a document around it; '' if nothing readable is left. Read again, it
 * stays as it is: a tag that is taken out ("<a<p>") can have kept its neighbours from closing each other.
 */
export function sanitiseWritten(html: string): string {
  const clean = allowedOf(allowedOf(html));
  return plainOf(clean).trim() === '' ? '' : clean;
}

/** The allowed tags and the text of `html`. */
function allowedOf(html: string): string {
  return sanitize(html, {
    allowedTags: TAGS,
    allowedAttributes: { a: ['href'] },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowProtocolRelative: false,
    disallowedTagsMode: 'discard',
    nonTextTags: ['script', 'style', 'textarea', 'option', 'noscript', 'title', 'xmp', 'template'],
    nestingLimit: NESTING_MAX,
    transformTags: { h1: 'div', h2: 'div', h3: 'div' },
  });
}

/** A whole document around what `sanitiseWritten` left. */
export function htmlDocument(body: string): string {
  return `<!doctype html><html><head><meta charset="utf-8"></head><body>${body}</body></html>`;
}

/** What `sanitiseWritten` left, as plain text: lists with their marks, quotes with ">", links with their address. */
export function plainOf(clean: string): string {
  const writer = new PlainWriter();
  for (const [token, closing, tag, href] of clean.matchAll(TOKEN)) {
    if (tag === undefined) writer.text(decoded(token));
    else if (closing === '/') writer.close(tag);
    else writer.open(tag, decoded(href ?? ''));
  }
  return writer.whole();
}

/** A tag as the sanitiser writes it, or the text in front of the next one. */
const TOKEN = /<(\/?)([a-z0-9]+)(?:\s+href="([^"]*)")?\s*\/?>|[^<]+/g;

class PlainWriter {
  private readonly lines: string[] = [];
  private line = '';
  /** Of the lists and quotes around. */
  private readonly around: { tag: string; items: number }[] = [];
  private mark = '';
  private link: { href: string; from: number } | undefined;

  text(text: string): void {
    this.line += text.replace(/[\t\n\r ]+/g, ' ');
  }

  open(tag: string, href: string): void {
    if (tag === 'br') this.breakLine();
    else if (tag === 'a') this.link = { href, from: this.line.length };
    else if (tag === 'li') this.startItem();
    else if (isLine(tag)) this.endLine();
    else if (tag === 'ul' || tag === 'ol' || tag === 'blockquote') {
      this.endLine();
      this.around.push({ tag, items: 0 });
    }
  }

  close(tag: string): void {
    if (tag === 'a') this.endLink();
    else if (isLine(tag) || tag === 'li') this.endLine();
    else if (tag === 'ul' || tag === 'ol' || tag === 'blockquote') {
      this.endLine();
      this.around.pop();
    }
  }

  whole(): string {
    this.endLine();
    return this.lines.join('\n');
  }

  private startItem(): void {
    this.endLine();
    const list = this.around.at(-1);
    if (list === undefined) return;
    list.items++;
    this.mark = list.tag === 'ol' ? `${list.items}. ` : '- ';
  }

  /** An address that the text does not show stands behind it. */
  private endLink(): void {
    const { href = '', from = 0 } = this.link ?? {};
    const shown = this.line.slice(from).trim();
    if (href !== '' && shown !== href && `mailto:${shown}` !== href) this.line += ` <${href}>`;
    this.link = undefined;
  }

  private endLine(): void {
    if (this.line.trim() !== '' || this.mark !== '') this.breakLine();
    else this.line = '';
  }

  private breakLine(): void {
    const quotes = this.around.filter(({ tag }) => tag === 'blockquote').length;
    const lists = this.around.length - quotes;
    const indent = '  '.repeat(Math.max(0, lists - 1)) + (lists > 0 && this.mark === '' ? '  ' : '');
    const prefix = quotes > 0 ? `${'>'.repeat(quotes)} ` : '';
    this.lines.push(`${prefix}${indent}${this.mark}${this.line.trim()}`.trimEnd());
    this.line = '';
    this.mark = '';
  }
}

function isLine(tag: string): boolean {
  return tag === 'p' || tag === 'div';
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function decoded(text: string): string {
  return text
    .replace(/&(amp|lt|gt|quot);/g, (_all, name: string) => ENTITIES[name]!)
    .replaceAll('\u00a0', ' ');
}

/** The pages' icons: strokes on a 24 × 24 grid, drawn inline so that they take the text's colour. */
const PATHS: Readonly<Record<string, string>> = {
  inbox:
    '<path d="M3 13h5l1.5 3h5L16 13h5"/><path d="M6 5h12l3 8v5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18v-5z"/>',
  sent: '<path d="M21 3 10 14"/><path d="M21 3l-6.5 18-4.5-7-7-4.5z"/>',
  archive:
    '<path d="M3 5h18v4H3z"/><path d="M5 9v9.5A1.5 1.5 0 0 0 6.5 20h11a1.5 1.5 0 0 0 1.5-1.5V9"/><path d="M10 13h4"/>',
  spam: '<path d="M8 3h8l5 5v8l-5 5H8l-5-5V8z"/><path d="M12 8v5"/><path d="M12 16.4v.1"/>',
  trash:
    '<path d="M4 7h16"/><path d="M9 7V4.5h6V7"/><path d="M6 7l1 12.5h10L18 7"/><path d="M10 11v5M14 11v5"/>',
  pen: '<path d="M4 20l1-4.5L16.5 4 20 7.5 8.5 19z"/><path d="M14 6.5 17.5 10"/>',
  reply: '<path d="M9 6 4 11l5 5"/><path d="M4 11h9a7 7 0 0 1 7 7v1"/>',
  forward: '<path d="M15 6l5 5-5 5"/><path d="M20 11h-9a7 7 0 0 0-7 7v1"/>',
  clip: '<path d="M20 11.5 12 19.5a5 5 0 0 1-7-7L13.5 4a3.3 3.3 0 0 1 4.7 4.7L9.8 17a1.7 1.7 0 0 1-2.4-2.4L15 7"/>',
  file: '<path d="M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z"/><path d="M14 3v5h5"/>',
  folder:
    '<path d="M3 6.5A1.5 1.5 0 0 1 4.5 5H9l2 2.5h8.5A1.5 1.5 0 0 1 21 9v9.5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18.5z"/>',
  download: '<path d="M12 5v11"/><path d="M7.5 11.5 12 16l4.5-4.5"/><path d="M4 19.5h16"/>',
  calendar: '<path d="M4 6h16v14H4z"/><path d="M4 10h16"/><path d="M8 3v4M16 3v4"/>',
  upload:
    '<path d="M12 16V5"/><path d="M7.5 9 12 4.5 16.5 9"/><path d="M4 17v1.5A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 1.5-1.5V17"/>',
  unread: '<path d="M3.5 6h17v12h-17z"/><path d="M4 7l8 6 8-6"/>',
  opened: '<path d="M3.5 10.5 12 4.5l8.5 6v9h-17z"/><path d="M4 11l8 5.5 8-5.5"/>',
  star: '<path d="M12 3.8l2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z"/>',
  snoozed: '<circle cx="12" cy="13" r="7.5"/><path d="M12 9v4l2.5 2"/><path d="M4 6.5 7 4M20 6.5 17 4"/>',
  drafts:
    '<path d="M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z"/><path d="M9 12h6M9 16h4"/>',
  outbox:
    '<path d="M3 13h5l1.5 3h5L16 13h5"/><path d="M21 13v5.5a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18.5V13"/><path d="M12 12V3.5M8.5 7 12 3.5 15.5 7"/>',
  search: '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5 21 21"/>',
  away: '<path d="M4 8h16v11.5H4z"/><path d="M9 8V5.5A1.5 1.5 0 0 1 10.5 4h3A1.5 1.5 0 0 1 15 5.5V8M8.5 8v11.5M15.5 8v11.5"/>',
  rule: '<path d="M4 6h16M7 12h10M10 18h4"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  bold: '<path d="M7 5h6.5a3.3 3.3 0 0 1 0 6.7H7z"/><path d="M7 11.7h7.3a3.6 3.6 0 0 1 0 7.3H7z"/>',
  italic: '<path d="M10 5h8M6 19h8M14.5 5l-5 14"/>',
  underline: '<path d="M7 4.5V11a5 5 0 0 0 10 0V4.5"/><path d="M6 20h12"/>',
  bullets: '<path d="M9 6h11M9 12h11M9 18h11"/><path d="M4.5 6h.1M4.5 12h.1M4.5 18h.1" stroke-width="2.6"/>',
  numbers: '<path d="M10 6h10M10 12h10M10 18h10"/><path d="M4 4.5h1.5v4M4 14.5c2.5-1.5 3 .5 0 3.5h3"/>',
  quote: '<path d="M4 5v14"/><path d="M9 7h11M9 12h11M9 17h7"/>',
  link: '<path d="M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1"/><path d="M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"/>',
  close: '<path d="M6 6l12 12M18 6 6 18"/>',
  more: '<path d="M5 12h.1M12 12h.1M19 12h.1" stroke-width="3"/>',
  person: '<circle cx="12" cy="8.5" r="3.5"/><path d="M5 20c.6-3.6 3.3-5.5 7-5.5s6.4 1.9 7 5.5"/>',
  people:
    '<circle cx="9" cy="8.5" r="3.2"/><path d="M2.8 19.5c.5-3.4 2.9-5.2 6.2-5.2s5.7 1.8 6.2 5.2"/><path d="M15.5 5.6a3.2 3.2 0 0 1 0 5.8M17.6 14.6c2 .7 3.2 2.4 3.6 4.9"/>',
  gauge: '<path d="M4 18a8.5 8.5 0 1 1 16 0"/><path d="M12 15l4-5"/>',
  left: '<path d="M15 5l-7 7 7 7"/>',
  right: '<path d="M9 5l7 7-7 7"/>',
  first: '<path d="M17 6l-6 6 6 6"/><path d="M7 6v12"/>',
  last: '<path d="M7 6l6 6-6 6"/><path d="M17 6v12"/>',
  code: '<path d="M8 7l-5 5 5 5"/><path d="M16 7l5 5-5 5"/>',
};

/** SVG markup, hidden from assistive technology: the words beside it say what it means. */
export function icon(name: string): string {
  const paths = PATHS[name];
  if (paths === undefined) throw new Error(`There is no icon named ${name}.`);
  return `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${paths}</svg>`;
}

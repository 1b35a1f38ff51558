/**
 * The styles of HTML mail, its sheets and its `style` attributes alike: parsed by css-tree, and what is
 * on the lists below written anew from the tree. Nothing is copied through: what the parser does not understand, it
 * hands over as raw text, and raw text is dropped.
 *
 * Always holds: the result names no address (no `url()`, no `@import`, no function but colours), places
 * nothing outside of the flow, and has none of `<`, `\`, `@` but in `@media`, so that it can neither end its
 * element nor be read in another way. Left out: rules for a dark scheme (mail stays on white paper), ids
 * and attributes in selectors, custom properties, animation.
 */
import { generate, parse, type CssNode, type List } from 'css-tree';

/** What newsletters have: a few hundred rules. */
const SHEET_CHARS_MAX = 200_000;
const ATTRIBUTE_CHARS_MAX = 4_000;
const RULES_MAX = 3_000;

/** A sheet for a `<style>` element of our own; '' if nothing is left. */
export function filterSheet(css: string): string {
  if (css.length > SHEET_CHARS_MAX) return '';
  const tree = parsed(css, 'stylesheet');
  return tree?.type === 'StyleSheet' ? rules(tree.children, { left: RULES_MAX, inMedia: false }) : '';
}

/** The declarations of a `style` attribute; '' if nothing is left. */
export function filterDeclarations(css: string): string {
  if (css.length > ATTRIBUTE_CHARS_MAX) return '';
  const tree = parsed(css, 'declarationList');
  return tree?.type === 'DeclarationList' ? declarations(tree.children) : '';
}

function parsed(css: string, context: string): CssNode | undefined {
  try {
    return parse(css, { context, parseCustomProperty: false, positions: false });
  } catch {
    // Nesting deeper than the stack: such a sheet is no style.
    return undefined;
  }
}

function rules(nodes: List<CssNode>, state: { left: number; inMedia: boolean }): string {
  let css = '';
  for (const node of nodes) {
    if (state.left-- <= 0) break;
    if (node.type === 'Rule') {
      const selectors = node.prelude.type === 'SelectorList' ? node.prelude.children.toArray() : [];
      const kept = selectors.filter(isPlainSelector).map((selector) => generate(selector));
      const style = declarations(node.block.children);
      if (kept.length > 0 && style !== '') css += `${kept.join(',')}{${style}}\n`;
    } else if (node.type === 'Atrule' && !state.inMedia) {
      css += media(node, state);
    }
  }
  return css;
}

function media(node: CssNode & { type: 'Atrule' }, state: { left: number }): string {
  if (node.name.toLowerCase() !== 'media' || node.block === null || node.prelude === null) return '';
  const query = generate(node.prelude);
  if (!MEDIA_QUERY.test(query) || /prefers-color-scheme/i.test(query)) return '';
  const inner = { left: state.left, inMedia: true };
  const css = rules(node.block.children, inner);
  state.left = inner.left;
  return css === '' ? '' : `@media ${query}{${css}}\n`;
}

/** Types and features with plain values, as css-tree writes them; no `<`, which could end the element. */
const MEDIA_QUERY = /^[a-z0-9 ,:().=/-]{1,200}$/i;

const PSEUDO_CLASSES = new Set([
  ...['hover', 'link', 'visited', 'active', 'first-child', 'last-child', 'only-child'],
  ...['first-of-type', 'last-of-type', 'nth-child', 'nth-of-type', 'not'],
]);

/** Parts of a selector that need no look at what they say. */
const SELECTOR_PARTS = new Set(['Selector', 'SelectorList', 'Combinator', 'Nth', 'AnPlusB', 'Identifier']);

function isPlainSelector(selector: CssNode): boolean {
  return every(selector, (node) => {
    if (node.type === 'TypeSelector' || node.type === 'ClassSelector')
      return /^(?:\*|[\w-]{1,100})$/.test(node.name);
    if (node.type === 'PseudoClassSelector') return PSEUDO_CLASSES.has(node.name.toLowerCase());
    return SELECTOR_PARTS.has(node.type);
  });
}

function declarations(nodes: List<CssNode>): string {
  const kept: string[] = [];
  for (const node of nodes) {
    if (node.type !== 'Declaration') continue;
    const property = node.property.toLowerCase();
    if (!PROPERTIES.has(property) || !every(node.value, isPlainValue)) continue;
    kept.push(`${property}:${generate(node.value)}${node.important === true ? '!important' : ''}`);
  }
  return kept.join(';');
}

const COLOURS = new Set(['rgb', 'rgba', 'hsl', 'hsla']);
const PLAIN_TEXT = /^[^\\<>@{}()]{0,100}$/;

function isPlainValue(node: CssNode): boolean {
  if (node.type === 'Value' || node.type === 'Number' || node.type === 'Percentage') return true;
  if (node.type === 'Dimension') return /^[a-z]{1,5}$/i.test(node.unit);
  if (node.type === 'Identifier') return /^-?[\w-]{1,100}$/.test(node.name);
  if (node.type === 'Hash') return /^[\da-f]{3,8}$/i.test(node.value);
  if (node.type === 'String') return PLAIN_TEXT.test(node.value);
  if (node.type === 'Operator') return node.value === ',' || node.value === '/';
  return node.type === 'Function' && COLOURS.has(node.name.toLowerCase());
}

/** True if the node and all below it pass. A node with a child that is no list or node has none. */
function every(node: CssNode, test: (node: CssNode) => boolean): boolean {
  if (!test(node)) return false;
  for (const child of childrenOf(node)) if (!every(child, test)) return false;
  return true;
}

function childrenOf(node: CssNode): readonly CssNode[] {
  if (node.type === 'Nth') return [node.nth, ...(node.selector === null ? [] : [node.selector])];
  return 'children' in node && node.children !== null ? node.children.toArray() : [];
}

/** No `position`, `z-index`, `transform`, `content`, `cursor`, `filter`, `clip`; no picture. */
const PROPERTIES = new Set([
  ...['color', 'background', 'background-color', 'opacity'],
  ...['font', 'font-family', 'font-size', 'font-style', 'font-weight', 'font-variant'],
  ...['line-height', 'letter-spacing', 'word-spacing', 'text-align', 'text-decoration', 'text-indent'],
  ...['text-transform', 'vertical-align', 'white-space', 'word-break', 'word-wrap', 'overflow-wrap'],
  ...['direction', 'list-style', 'list-style-type', 'list-style-position'],
  ...['width', 'max-width', 'min-width', 'height', 'max-height', 'min-height', 'display', 'float', 'clear'],
  ...['margin', 'margin-top', 'margin-right', 'margin-bottom', 'margin-left'],
  ...['padding', 'padding-top', 'padding-right', 'padding-bottom', 'padding-left'],
  ...['border', 'border-top', 'border-right', 'border-bottom', 'border-left', 'border-color'],
  ...['border-style', 'border-width', 'border-radius', 'border-collapse', 'border-spacing'],
  ...['border-top-color', 'border-top-style', 'border-top-width', 'border-bottom-color'],
  ...['border-bottom-style', 'border-bottom-width', 'table-layout', 'overflow', 'box-sizing'],
]);

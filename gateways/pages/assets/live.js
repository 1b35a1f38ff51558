/*
 * The parts of a page that change by themselves: when the server says that something changed, they are fetched
 * anew and put in their place. What is ticked, chosen, unfolded or has the focus stays so, and a part in which
 * someone is typing is left alone. A hidden page lets go of the server, and catches up when it is seen.
 */

let fetching = false;
let again = false;
/* While the pointer is down, or drags, nothing is taken from under it: neither click nor drag would come to be. */
let held = false;
/* Counts answers to actions: a list that was asked for before one is older than what the page shows. */
let changes = 0;
const countChange = () => changes++;
/* After a fetch that failed: the stream may have outlived what broke it, and then says nothing more of this change. */
const AGAIN_MS = 2000;
let later;

/** This page's address for its parts alone. */
function partsUrl() {
  const url = new URL(location.href);
  for (const name of ['done', 'n', 'undo']) url.searchParams.delete(name);
  url.searchParams.set('fragment', 'list');
  const seen = document.querySelector('[data-seen]')?.dataset.seen;
  if (seen) url.searchParams.set('seen', seen);
  return url;
}

async function refresh() {
  if (fetching || held) {
    again = true;
    return;
  }
  if (!document.querySelector('[data-fragment="list"]')) return;
  fetching = true;
  const before = changes;
  try {
    const answer = await fetch(partsUrl(), { headers: { accept: 'text/html' } });
    const html = answer.ok && !answer.redirected ? await answer.text() : '';
    if (held || before !== changes) again = true;
    else swap(parsed(html));
  } catch {
    clearTimeout(later);
    later = setTimeout(() => document.hidden || refresh(), AGAIN_MS);
  } finally {
    fetching = false;
    catchUp();
  }
}

function catchUp() {
  if (!again || held) return;
  again = false;
  refresh();
}

function letChange() {
  held = false;
  catchUp();
}

const parsed = (html) => new DOMParser().parseFromString(html, 'text/html');

/* What was done is told by the answer to it alone (in-place.js). */
function swap(fresh) {
  for (const part of fresh.querySelectorAll('[data-fragment]:not([data-fragment="told"])')) {
    const old = document.querySelector(`[data-fragment="${part.dataset.fragment}"]`);
    if (!old) continue;
    writeTimes(part);
    if (old.innerHTML === part.innerHTML) continue;
    if (inUse(old)) {
      document.activeElement.addEventListener('blur', refresh, { once: true });
      continue;
    }
    keepTicks(old, part);
    keepChoices(old, part);
    hideGoing(part);
    const refocus = focusIn(old);
    old.replaceChildren(...part.childNodes);
    refocus(old);
    showAllTick(document);
  }
}

/* A field that someone is filling in is not taken from under their hands. */
function inUse(part) {
  const fields = part.querySelectorAll('input:not([type=checkbox], [type=hidden]), textarea, select');
  return [...fields].some(
    (field) => field === document.activeElement || (field.defaultValue ?? field.value) !== field.value,
  );
}

function keepChoices(old, fresh) {
  const now = fresh.querySelectorAll('details, select, input[name="all"]');
  old.querySelectorAll('details, select, input[name="all"]').forEach((was, i) => {
    if (was.localName !== now[i]?.localName) return;
    if (was.localName === 'details') now[i].open = was.open;
    else if (was.localName === 'input') now[i].checked = was.checked;
    else if ([...now[i].options].some(({ value }) => value === was.value)) now[i].value = was.value;
  });
}

const controlsIn = (scope) => [
  ...scope.querySelectorAll('a, button, input:not([type=hidden]), select, summary, textarea'),
];

/* Gives the focus back to what had it: in a fresh copy, that is the same control of the same line. */
function focusIn(old) {
  const at = document.activeElement;
  if (!old.contains(at)) return () => {};
  const line = at.closest('.messages li');
  const place = line ? linesIn(old).indexOf(line) : -1;
  const key = line && keyOf(line);
  const control = controlsIn(line ?? old).indexOf(at);
  const href = at.getAttribute('href');
  return (fresh) => {
    const lines = linesIn(fresh);
    const same = lines.find((one) => key && keyOf(one) === key);
    const near = same ?? lines[Math.min(place, lines.length - 1)];
    const found = line
      ? near && (controlsIn(near)[same ? control : -1] ?? near.querySelector('a'))
      : ((href && fresh.querySelector(`a[href="${CSS.escape(href)}"]`)) ?? controlsIn(fresh)[control]);
    focusOn(found ?? document.querySelector('main'));
  };
}

function focusOn(element) {
  if (!element?.matches('a, button, input, select, summary, textarea'))
    element?.setAttribute('tabindex', '-1');
  element?.focus({ preventScroll: element.localName === 'main' });
}

/* Live: the server says that something changed. */

let source;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource(document.body.dataset.live);
  // What was committed between the page and this connection, or while there was none, was not told.
  source.addEventListener('hello', (event) => event.data === document.body.dataset.at || refresh());
  source.addEventListener('changed', refresh);
  source.addEventListener('error', () => document.dispatchEvent(new Event('gatewaylost')));
}

function letGo() {
  source?.close();
  source = undefined;
}

function startLive() {
  document.addEventListener('pointerdown', (event) => (held = event.button === 0));
  // The click follows.
  document.addEventListener('pointerup', () => setTimeout(letChange));
  document.addEventListener('pointercancel', () => dragged.length > 0 || letChange());
  // Where a menu or another window took the end of it.
  document.addEventListener(
    'pointermove',
    ({ buttons }) => held && !buttons && !dragged.length && letChange(),
  );
  if (document.body.dataset.live && document.querySelector('[data-fragment="list"]')) {
    listen();
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return letGo();
      listen();
      refresh();
    });
    window.addEventListener('pagehide', letGo);
    window.addEventListener('pageshow', (event) => {
      if (!event.persisted) return;
      listen();
      refresh();
    });
  }
  const every = Number(document.querySelector('[data-every]')?.dataset.every);
  if (every) setInterval(() => document.hidden || refresh(), every);
}

/*
 * Actions in place: what a button of a list or a conversation does is sent as the form would send it, and the
 * parts of the page that changed come with the answer, and a way to undo it. A line that is to go leaves at
 * once; if the action is refused, or nobody answers, it comes back, and a sentence says why.
 */

/* What leaves a line where it is. */
const STAYING = ['read', 'unread', 'star', 'unstar'];
const TOLD_MS = 15_000;
const ANSWER_WITHIN_MS = 20_000;
const LOGGED_OUT = 401;
/** Conversations whose action is on its way: no copy of the list shows them. */
const going = new Set();
const waiting = [];
let isSending = false;

function startInPlace() {
  document.addEventListener('submit', (event) => {
    const form = event.target;
    const actions = form.dataset.inPlace;
    if (event.defaultPrevented || actions === undefined || !toldPlace()) return;
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    // All of a folder is work for many steps: the page that follows shows how far it has come.
    const isOurs = actions === '' || actions.split(' ').includes(fields.get('action'));
    if (!isOurs || fields.has('all') || event.submitter?.hasAttribute('formaction')) return;
    // What was done by loading a page may have changed any part of it.
    const isCovered = form.closest('.afloat') || document.querySelector('[data-list]');
    if (fields.has('entry') && !isCovered) return;
    event.preventDefault();
    closeMenu(event.submitter?.closest('details'));
    // Undo has no action to choose, and keeps its form's id: pressed twice, it is done once.
    const id = fields.has('action') ? undefined : fields.get('commandId');
    perform(form.getAttribute('action'), fields, id);
  });
  // What still waits for its turn goes with the page.
  window.addEventListener('pagehide', () => waiting.splice(0).forEach(post));
  // Kept by the browser while another page was shown: what was on its way has long arrived.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    going.clear();
    refresh();
  });
}

/** `fields`: those of the form, with what is to be done. */
function perform(url, fields, id = ownId(fields.get('commandId'))) {
  // A second press on a button whose lines are leaving means nothing.
  if (fields.has('action') && !chosenIn(fields).length && going.size > 0) return;
  fields.set('commandId', id);
  fields.set('back', partsUrl().pathname + partsUrl().search);
  waiting.push({ url, fields, putBack: anticipate(fields) });
  work();
}

function closeMenu(menu) {
  if (!menu) return;
  menu.open = false;
  for (const choice of menu.querySelectorAll('select')) choice.value = '';
  menu.querySelector('summary').focus();
}

/* One after the other, in the order of the presses. */
async function work() {
  if (isSending) return;
  isSending = true;
  for (let next; (next = waiting.shift());) await carryOut(next);
  isSending = false;
}

const post = ({ url, fields }) =>
  fetch(url, {
    method: 'POST',
    body: fields,
    keepalive: true,
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });

async function carryOut(action) {
  let answer;
  let fresh;
  const isSent = navigator.onLine;
  try {
    answer = await post(action);
    fresh = parsed(await answer.text());
  } catch {
    action.putBack(false);
    if (!isSent) return refuse('You are offline: nothing was changed. Try again once you are connected.');
    refuse(
      'The connection broke off, so it is not known whether this was done. Please try again in a moment.',
    );
    return document.dispatchEvent(new Event('gatewaylost'));
  }
  const told = fresh.querySelector('[data-fragment="told"]');
  // To the log-in, and back here.
  if (answer.status === LOGGED_OUT) return location.reload();
  if (answer.ok && !told) return location.assign(answer.url);
  countChange();
  action.putBack(answer.ok);
  // It was done; only the page behind it could not be shown.
  if (!answer.ok && answer.redirected) return refresh();
  if (!answer.ok) {
    const said = fresh.querySelector('[role="alert"]')?.textContent;
    return refuse(said ?? `That was not possible (${answer.status}). Please try again.`);
  }
  tell(...told.childNodes);
  if (held) again = true;
  else swap(fresh);
  history.replaceState(history.state, '', shownUrl());
}

/** The page's address, without word of what was done before. */
function shownUrl() {
  const url = partsUrl();
  for (const name of ['fragment', 'seen']) url.searchParams.delete(name);
  return url;
}

/* An id of its own for each press, as old as the page: two presses of an action are two. */
function ownId(id) {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  const text = btoa(String.fromCharCode(...bytes));
  return id.slice(0, 8) + text.replaceAll('+', '-').replaceAll('/', '_');
}

/** The conversations that an action is about. */
function chosenIn(fields) {
  const one = fields.get('action').split(':')[1];
  return one ? [one] : [...fields.getAll('c'), ...fields.getAll('m')];
}

/** Shows what will be so. Returns what ends this: with the answer there, or with everything as it was. */
function anticipate(fields) {
  if (!fields.has('action')) return () => {};
  const chosen = chosenIn(fields);
  const [name] = fields.get('action').split(':');
  if (STAYING.includes(name)) {
    for (const line of linesOf(chosen)) mark(line, name);
    const opposite = { read: 'unread', unread: 'read', star: 'unstar', unstar: 'star' }[name];
    return (isDone) => isDone || linesOf(chosen).forEach((line) => mark(line, opposite));
  }
  const lines = linesOf(chosen);
  const ticked = lines.filter((line) => tickOf(line).checked).map(keyOf);
  const hadFocus = lines.some((line) => line.contains(document.activeElement));
  for (const line of lines) {
    going.add(keyOf(line));
    tickOf(line).checked = false;
    line.hidden = true;
  }
  showAllTick(document);
  if (hadFocus) focusNear(lines.at(-1));
  return (isDone) => {
    for (const key of chosen) going.delete(key);
    if (isDone) return;
    for (const line of linesOf(chosen)) {
      line.hidden = false;
      tickOf(line).checked ||= ticked.includes(keyOf(line));
    }
    showAllTick(document);
  };
}

const linesOf = (keys) => linesIn(document).filter((line) => tickOf(line) && keys.includes(keyOf(line)));

function mark(line, name) {
  if (name === 'read' || name === 'unread') return line.classList.toggle('unread', name === 'unread');
  const star = line.querySelector('.star');
  star.classList.toggle('on', name === 'star');
  star.value = `${name === 'star' ? 'unstar' : 'star'}:${keyOf(line)}`;
}

function hideGoing(part) {
  for (const line of linesIn(part)) line.hidden = going.has(keyOf(line));
}

/* The line below one that leaves, or else the one above. */
function focusNear(line) {
  const lines = linesIn(document);
  const at = lines.indexOf(line);
  const near = [...lines.slice(at), ...lines.slice(0, at).reverse()].find((one) => !one.hidden);
  focusOn(near?.querySelector('a') ?? document.querySelector('main'));
}

/* What was done stands above everything for a while, longer if it is looked at. */

const toldPlace = () => document.querySelector('[data-fragment="told"]');
let fading;

function tell(...nodes) {
  const place = toldPlace();
  const hadFocus = place.contains(document.activeElement);
  // Out of the list's pane: its container would be what it floats in.
  document.querySelector('main').before(place);
  place.classList.add('afloat');
  place.replaceChildren(...nodes);
  if (hadFocus) focusOn(place);
  fadeLater();
}

function fadeLater() {
  clearTimeout(fading);
  fading = setTimeout(() => {
    const place = toldPlace();
    if (place.matches(':hover, :focus-within')) return fadeLater();
    place.replaceChildren();
  }, TOLD_MS);
}

function refuse(words) {
  const notice = document.createElement('p');
  notice.className = 'notice bad';
  notice.setAttribute('role', 'alert');
  notice.textContent = words;
  tell(notice);
  clearTimeout(fading);
  refresh();
}

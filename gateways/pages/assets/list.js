'use strict';
/*
 * Lists of mail: ticking many at once, and doing with keys what the buttons do. Nothing here is needed: every
 * tick is a checkbox of a form, and every key presses a button that is there.
 */

const linesIn = (root) => [...root.querySelectorAll('.messages li')];
const tickOf = (line) => line.querySelector('input[name="c"]');
/** What names a line in every copy of the list. */
const keyOf = (line) => tickOf(line)?.value ?? line.querySelector('a')?.getAttribute('href');
/** Of the lines that are there for the reader: not of one that is leaving. */
const ticksIn = (root) => [...root.querySelectorAll('.messages li:not([hidden]) input[name="c"]')];

/* What is ticked stays ticked when the list is fetched anew. */
function keepTicks(old, fresh) {
  const ticked = new Set(ticksIn(old).flatMap((tick) => (tick.checked ? [tick.value] : [])));
  for (const tick of ticksIn(fresh)) tick.checked = ticked.has(tick.value);
}

function showAllTick(root) {
  const all = root.querySelector('[data-all]');
  if (!all) return;
  all.closest('label').hidden = false;
  const ticks = ticksIn(root);
  const ticked = ticks.filter((tick) => tick.checked).length;
  all.checked = ticked > 0 && ticked === ticks.length;
  all.indeterminate = ticked > 0 && ticked < ticks.length;
}

function startList() {
  if (!document.querySelector('[data-list]')) return;
  showAllTick(document);
  let last;
  document.addEventListener('click', (event) => {
    const tick = event.target.closest?.('.messages input[name="c"]');
    if (!tick) return;
    const ticks = ticksIn(document);
    const [from, to] = [ticks.indexOf(last), ticks.indexOf(tick)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const one of ticks.slice(from, to + 1)) one.checked = tick.checked;
    last = tick;
  });
  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-all]')) {
      for (const tick of ticksIn(document)) tick.checked = event.target.checked;
    }
    showAllTick(document);
  });
}

/* The line that keys mean: the one with the focus, or the one that is open. */
function currentLine() {
  return (
    document.activeElement?.closest('.messages li') ??
    document.querySelector('.messages li:has([aria-current])')
  );
}

function tickCurrent() {
  const line = currentLine();
  if (line) tickOf(line)?.click();
}

function starCurrent() {
  const open = document.querySelector('.reading [data-key="s"]');
  (open ?? currentLine()?.querySelector('.star'))?.click();
}

/* In a list a key means what is ticked, or else the line with the focus. */
function pressInList(key) {
  const button = document.querySelector(`[data-key="${key}"]`);
  if (!button) return;
  if (button.closest('[data-list]') && !ticksIn(document).some((tick) => tick.checked)) {
    const line = currentLine();
    if (!line || !tickOf(line)) return;
    tickOf(line).checked = true;
  }
  button.click();
}

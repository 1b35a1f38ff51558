/*
 * Dragging lines of a list onto a folder beside it, with a mouse: the line, or all that are ticked if it is one
 * of them. It does what "Move to" does, which is the way with keys and on touch.
 */

/** Conversations that are being dragged. */
let dragged = [];
let pointer = '';

function startDrag() {
  const form = () => document.querySelector('form[data-list]');
  document.addEventListener('pointerdown', (event) => (pointer = event.pointerType));
  document.addEventListener('dragstart', (event) => {
    const line = event.target.closest?.('[data-list] .messages li');
    if (!line || pointer === 'touch' || !tickOf(line) || !document.getElementById('move-to')) return;
    const ticked = ticksIn(document).filter((tick) => tick.checked);
    dragged = (tickOf(line).checked ? ticked : [tickOf(line)]).map((tick) => tick.value);
    for (const one of linesOf(dragged)) one.classList.add('dragged');
    for (const link of targets()) link.classList.add('target');
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setDragImage(picture(dragged.length), -12, 12);
  });
  for (const type of ['dragenter', 'dragover']) {
    document.addEventListener(type, (event) => over(event, (link) => link.classList.add('over')));
  }
  document.addEventListener('dragleave', (event) => targetAt(event)?.classList.remove('over'));
  document.addEventListener('drop', (event) =>
    over(event, (link) => {
      const fields = new URLSearchParams(new FormData(form()));
      for (const name of ['c', 'all']) fields.delete(name);
      for (const one of dragged) fields.append('c', one);
      fields.set('to', folderOf(link));
      fields.set('action', 'move');
      const url = form().getAttribute('action');
      end();
      perform(url, fields);
    }),
  );
  document.addEventListener('dragend', end);

  function over(event, act) {
    const link = targetAt(event);
    if (!link) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'move';
    act(link);
  }

  function end() {
    if (dragged.length === 0) return;
    dragged = [];
    for (const one of document.querySelectorAll('.dragged, .target, .over')) {
      one.classList.remove('dragged', 'target', 'over');
    }
    document.querySelector('.drag-picture').remove();
    letChange();
  }
}

const folderOf = (link) => link.pathname.split('/').at(-1);

/** The folders that "Move to" offers. */
function targets() {
  const offered = [...document.getElementById('move-to').options].map(({ value }) => value);
  return [...document.querySelectorAll('.folders li a')].filter((link) => offered.includes(folderOf(link)));
}

const targetAt = (event) => (dragged.length > 0 ? event.target.closest?.('.folders a.target') : undefined);

function picture(count) {
  const words = document.createElement('div');
  words.className = 'drag-picture';
  words.textContent = count === 1 ? '1 conversation' : `${count} conversations`;
  document.body.append(words);
  return words;
}

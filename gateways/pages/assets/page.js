/*
 * What the pages gain from a script: times in the reader's zone, upload progress, and keys; beside this file,
 * parts that change by themselves (live.js), actions in place (in-place.js), and dragging (drag.js). Without it
 * every page works the same, one click slower.
 */

const storage = {
  get: (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set: (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Private windows may refuse: the choice then lasts as long as the page.
    }
  },
};

/* Times */

/* In the zone and the language that were chosen on the account's page; else as the browser has them. */
const { zone: timeZone, locale } = document.body.dataset;
function written(options) {
  try {
    return new Intl.DateTimeFormat(locale, { timeZone, ...options });
  } catch {
    // A zone or a language that this browser does not know.
    return new Intl.DateTimeFormat(undefined, options);
  }
}
const clock = written({ hour: '2-digit', minute: '2-digit' });
const dayMonth = written({ day: 'numeric', month: 'short' });
const dayMonthYear = written({ day: 'numeric', month: 'short', year: 'numeric' });
const whole = written({ dateStyle: 'medium', timeStyle: 'short' });

function writeTimes(root) {
  const today = dayMonthYear.format();
  const year = written({ year: 'numeric' });
  for (const element of root.querySelectorAll('time[data-form]')) {
    const at = new Date(element.dateTime);
    const isToday = dayMonthYear.format(at) === today;
    const short = isToday ? clock : year.format(at) === year.format() ? dayMonth : dayMonthYear;
    element.textContent = (element.dataset.form === 'list' ? short : whole).format(at);
    element.title = whole.format(at);
  }
}

/* Forms: a second click while the first is on its way does nothing, and a message half written is not lost. */

function guardForms() {
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.dataset.sending) return event.preventDefault();
    if (event.defaultPrevented || form.method !== 'post') return;
    form.dataset.sending = 'yes';
    (event.submitter ?? form.querySelector('button'))?.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sending]')) {
      delete form.dataset.sending;
      form.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
    }
  });
  // A message saves itself, and has a guard of its own.
  const guarded = document.querySelector('form[data-guard]:not([data-compose])');
  if (!guarded) return;
  let typed = false;
  guarded.addEventListener('input', () => (typed = true));
  guarded.addEventListener('submit', () => (typed = false));
  window.addEventListener('beforeunload', (event) => typed && event.preventDefault());
}

/* Uploads */

function startUploads() {
  const form = document.querySelector('form[data-upload]');
  if (!form) return;
  const input = form.querySelector('input[type=file]');
  const progress = form.querySelector('.progress');
  const [bar, words] = [progress.querySelector('progress'), progress.querySelector('span')];

  for (const type of ['dragover', 'dragleave', 'drop']) {
    form.addEventListener(type, (event) => {
      event.preventDefault();
      form.classList.toggle('over', type === 'dragover');
      if (type !== 'drop' || event.dataTransfer.files.length === 0) return;
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    });
  }

  window.addEventListener('beforeunload', (event) => form.dataset.busy && event.preventDefault());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = 'yes';
    progress.hidden = false;
    const request = new XMLHttpRequest();
    const finish = (html, url) => {
      delete form.dataset.busy;
      // The page that the form would have led to.
      if (url && !html.includes('role="alert"')) return location.assign(url);
      const fresh = new DOMParser().parseFromString(html, 'text/html');
      const alert =
        fresh.querySelector('[role=alert]')?.textContent ?? 'The upload broke off: please try again.';
      showAlert(form, alert);
      const keys = fresh.querySelector('form[data-upload] input[name=commandId]');
      if (keys) form.querySelector('input[name=commandId]').value = keys.value;
      progress.hidden = true;
    };
    request.upload.addEventListener('progress', ({ loaded, total }) => {
      bar.value = total ? (loaded / total) * 100 : 0;
      words.textContent = loaded < total ? `${Math.floor((loaded / total) * 100)} %` : 'Storing…';
    });
    request.addEventListener('load', () =>
      finish(request.responseText, request.status < 400 && request.responseURL),
    );
    request.addEventListener('error', () => finish('', ''));
    request.open('POST', form.action);
    request.send(new FormData(form));
  });
}

function showAlert(before, text) {
  const main = before.parentElement;
  main.querySelectorAll('.notice').forEach((old) => old.remove());
  const notice = document.createElement('p');
  notice.className = 'notice bad';
  notice.setAttribute('role', 'alert');
  notice.textContent = text;
  main.insertBefore(notice, before);
}

/* Keys */

const KEYS = {
  c: ['Compose', () => location.assign('/mail/compose')],
  j: ['Next message', () => step(1)],
  k: ['Previous message', () => step(-1)],
  x: ['Select', () => tickCurrent()],
  s: ['Star', () => starCurrent()],
  r: ['Reply', () => press('r')],
  a: ['Reply to all', () => press('a')],
  f: ['Forward', () => press('f')],
  e: ['Archive', () => pressInList('e')],
  '#': ['Delete', () => pressInList('#')],
  z: ['Undo', () => press('z')],
  '/': ['Search', () => document.querySelector('.search input')?.focus()],
  u: ['Back to the list', () => document.querySelector('.toolbar .back')?.click()],
  '?': ['These keys', () => showKeys()],
};

function press(key) {
  document.querySelector(`[data-key="${key}"]`)?.click();
}

function step(by) {
  const links = [...document.querySelectorAll('.messages li:not([hidden]) a')];
  if (links.length === 0) return;
  const at = links.findIndex((link) => link === document.activeElement || link.getAttribute('aria-current'));
  const next = links[Math.min(Math.max(at + by, 0), links.length - 1)];
  if (document.querySelector('.reading')) next.click();
  else next.focus();
}

function showKeys() {
  let dialog = document.querySelector('dialog');
  if (!dialog) {
    dialog = document.createElement('dialog');
    const rows = Object.entries(KEYS).map(([key, [words]]) => `<dt><kbd>${key}</kbd></dt><dd>${words}</dd>`);
    dialog.innerHTML = `<h2>Keys</h2><dl>${rows.join('')}<dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>Send</dd></dl>
      <label class="check"><input type="checkbox"> Use single keys</label><form method="dialog"><button>Close</button></form>`;
    document.body.append(dialog);
    const box = dialog.querySelector('input');
    box.checked = storage.get('keys') !== 'off';
    box.addEventListener('change', () => storage.set('keys', box.checked ? 'on' : 'off'));
  }
  dialog.showModal();
}

function startKeys() {
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable]');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && typing?.form?.matches('[data-guard]')) {
      return typing.form.requestSubmit();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]'))
      return;
    const known = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
    if (!known || !document.body.dataset.live || (event.key !== '?' && storage.get('keys') === 'off')) return;
    event.preventDefault();
    known[1]();
  });
}

writeTimes(document);
startUploads();
startInPlace();
guardForms();
startLive();
startKeys();
startList();
startDrag();

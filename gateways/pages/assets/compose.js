/*
 * What writing gains from a script: drafts that save themselves, files attached as they are chosen or dropped,
 * addresses completed and checked, formatting, and times in the writer's own zone. The form is the one that
 * works without it: the script sends the same fields to the same address, and swaps in the part that changes.
 */
'use strict';

(() => {
  const form = document.querySelector('form[data-compose]');
  if (!form) return;
  const field = (name) => form.elements.namedItem(name);
  const SAVE_AFTER_MS = 1000;
  /** What a browser still sends for a page that is being left. */
  const LEAVING_BYTES_MAX = 60_000;
  const CONFLICT = 409;

  form.classList.add('lively');

  /* Drafts */

  let dirty = false;
  let leaving = false;
  /** Saving by itself has stopped: another window saved, or the draft is gone. */
  let halted = false;
  let timer;
  /** One thing at a time: each names the revision that the one before it made. */
  let queue = Promise.resolve();

  const soon = () => {
    clearTimeout(timer);
    if (!halted) timer = setTimeout(() => save(), SAVE_AFTER_MS);
  };
  form.addEventListener('input', (event) => {
    if (event.target.closest('.later') || event.target.type === 'file') return;
    dirty = true;
    soon();
  });

  function fields(action) {
    takeEditor();
    const sent = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === 'string') sent.append(name, value);
    sent.set('action', action);
    return sent;
  }

  function save(action = 'save') {
    clearTimeout(timer);
    queue = queue.then(async () => {
      if (leaving || (!dirty && action === 'save')) return;
      dirty = false;
      try {
        const answer = await fetch('/mail/compose?fragment=draft', { method: 'POST', body: fields(action) });
        if (answer.redirected) throw new Error('logged out');
        swap(await answer.text(), answer.status);
      } catch {
        dirty = true;
        say('Not saved: the connection is gone. It is tried again.');
        timer = setTimeout(() => save(), 5 * SAVE_AFTER_MS);
      }
    });
    return queue;
  }

  function swap(html, status) {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    const state = fresh.querySelector('[data-fragment="draft"]');
    // Answers may overtake each other: an older one has nothing to tell.
    const isOlder = Number(state?.querySelector('[name=revision]').value) < Number(field('revision').value);
    if (!state || isOlder) return;
    const ok = status < 400;
    const old = form.querySelector('[data-fragment="draft"]');
    old.replaceChildren(...state.childNodes);
    window.writeTimes?.(old);
    form.querySelector('[data-alerts]').replaceChildren(...fresh.querySelector('[data-alerts]').childNodes);
    halted = status === CONFLICT;
    if (!ok) dirty = true;
    const id = field('draft').value;
    // So that reloading, or coming back, goes on from here.
    if (ok && id) history.replaceState(null, '', `/mail/compose?draft=${id}`);
  }

  function say(words) {
    form.querySelector('.saved').textContent = words;
  }

  /** The last words are not lost with the page. */
  function flush() {
    if (!dirty || leaving || halted) return;
    const body = fields('save');
    if (body.toString().length > LEAVING_BYTES_MAX) return;
    dirty = false;
    fetch('/mail/compose?fragment=draft', { method: 'POST', body, keepalive: true })
      .then(async (answer) => swap(await answer.text(), answer.status))
      .catch(() => (dirty = true));
  }
  document.addEventListener('visibilitychange', () => document.hidden && flush());
  window.addEventListener('pagehide', flush);
  window.addEventListener('beforeunload', (event) => {
    flush();
    if ((dirty && !leaving) || uploading > 0) event.preventDefault();
  });
  window.addEventListener('pageshow', () => (leaving = false));

  form.addEventListener('submit', (event) => {
    const action = event.submitter?.value ?? 'send';
    if (uploading > 0 && action !== 'discard') {
      event.preventDefault();
      return say('Files are still on their way: a moment, please.');
    }
    if (action === 'save' || action.startsWith('remove:')) {
      event.preventDefault();
      dirty = true;
      halted = false;
      return save(action);
    }
    takeEditor();
    leaving = true;
    clearTimeout(timer);
  });
  // In a line, Enter goes on to the next one: it sends nothing by mistake.
  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (!event.target.matches('.line input')) return;
    event.preventDefault();
    const lines = [...form.querySelectorAll('.line input, #text, .editor')].filter((one) =>
      one.checkVisibility(),
    );
    lines[lines.indexOf(event.target) + 1]?.focus();
  });

  /* Files */

  let uploading = 0;
  /** Beside saving: a long upload holds up no words. */
  let uploads = Promise.resolve();
  const picker = field('file');
  picker.addEventListener('change', () => attach([...picker.files]));
  for (const type of ['dragover', 'dragleave', 'drop']) {
    form.addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      form.classList.toggle('over', type === 'dragover');
      if (type === 'drop') attach([...event.dataTransfer.files]);
    });
  }

  async function attach(files) {
    picker.value = '';
    if (files.length === 0) return;
    if (field('revision').value === '0') {
      dirty = true;
      await save();
    }
    for (const file of files) queueUpload(file);
  }

  function queueUpload(file) {
    const row = document.createElement('li');
    const [name, bar] = [document.createElement('span'), document.createElement('progress')];
    name.textContent = file.name;
    bar.max = 1;
    bar.setAttribute('aria-label', `Uploading ${file.name}`);
    row.append(name, bar);
    const list = rows();
    list.append(row);
    uploading++;
    uploads = uploads
      .then(() => upload(file, (part) => (bar.value = part)))
      .then(({ html, status }) => swapKept(html, status))
      .catch(() => say(`${file.name} was not attached: the connection broke off. Please try again.`))
      .finally(() => {
        uploading--;
        row.remove();
        if (list.childElementCount === 0) list.remove();
        if (dirty) soon();
      });
  }

  /** Files on their way are listed apart, so that what is swapped in leaves them alone. */
  function rows() {
    const found = form.querySelector('.attached.coming');
    if (found) return found;
    const list = document.createElement('ul');
    list.className = 'attached coming';
    form.querySelector('.attach').before(list);
    return list;
  }

  function upload(file, progress) {
    return new Promise((resolve, reject) => {
      const body = new FormData();
      for (const name of ['csrf', 'commandId', 'window', 'draft', 'revision'])
        body.set(name, field(name).value);
      body.set('upload', Math.random().toString(36).slice(2, 12));
      body.set('action', 'attach');
      body.set('file', file);
      const request = new XMLHttpRequest();
      request.upload.addEventListener('progress', ({ loaded, total }) =>
        progress(total ? loaded / total : 0),
      );
      request.addEventListener('load', () => resolve({ html: request.responseText, status: request.status }));
      request.addEventListener('error', reject);
      request.open('POST', '/mail/compose?fragment=draft');
      request.send(body);
    });
  }

  /** A file that is refused stops nothing else. */
  function swapKept(html, status) {
    const was = { dirty, halted };
    swap(html, status);
    ({ dirty, halted } = was);
  }

  /* Formatting: the editor's markup is what is sent, and the server keeps of it what mail may hold. */

  const plain = field('text');
  const toggle = form.querySelector('[data-rich]');
  const tools = form.querySelector('.formats');
  let editor;

  toggle.hidden = false;
  toggle.addEventListener('click', () => (editor ? toPlain() : toRich(undefined)));
  if (field('html').value) toRich(field('html').value);

  function toRich(html) {
    editor = document.createElement('div');
    editor.className = 'editor';
    editor.contentEditable = 'true';
    editor.setAttribute('role', 'textbox');
    editor.setAttribute('aria-multiline', 'true');
    editor.setAttribute('aria-label', 'Message');
    // Sanitised by the server, which alone writes the field; what is pasted later it sanitises again.
    if (html) editor.innerHTML = html;
    else for (const line of plain.value.trimEnd().split('\n')) editor.append(lineOf(line));
    plain.hidden = true;
    plain.after(editor);
    show(true);
    document.execCommand('defaultParagraphSeparator', false, 'p');
    editor.addEventListener('paste', pasted);
  }

  function lineOf(text) {
    const line = document.createElement('p');
    line.append(text === '' ? document.createElement('br') : text);
    return line;
  }

  function toPlain() {
    plain.value = editor.innerText.replace(/\n{3,}/g, '\n\n');
    editor.remove();
    editor = undefined;
    plain.hidden = false;
    field('html').value = '';
    show(false);
    dirty = true;
    soon();
  }

  function show(rich) {
    toggle.setAttribute('aria-pressed', String(rich));
    tools.hidden = !rich;
  }

  /** The fields as the form sends them: formatted text stands in one of them, plain text in the other. */
  function takeEditor() {
    if (!editor) return;
    field('html').value = editor.innerText.trim() === '' ? '' : editor.innerHTML;
    plain.value = '';
  }

  /** Words, without the looks of the page that they come from. */
  function pasted(event) {
    const text = event.clipboardData?.getData('text/plain');
    if (!text) return;
    event.preventDefault();
    document.execCommand('insertText', false, text);
  }

  for (const button of tools.querySelectorAll('[data-format]')) {
    // The selection stays where it is.
    button.addEventListener('mousedown', (event) => event.preventDefault());
    button.addEventListener('click', () => {
      editor.focus();
      const { format } = button.dataset;
      if (format === 'quote') document.execCommand('formatBlock', false, 'blockquote');
      else if (format === 'link') link();
      else document.execCommand(format);
      dirty = true;
      soon();
    });
  }

  function link() {
    const address = prompt('Address of the link', 'https://');
    if (address && /^(?:https?:\/\/|mailto:)./i.test(address))
      document.execCommand('createLink', false, address);
  }

  /* The signature follows From. One that was changed by hand stays. */

  field('from')?.addEventListener('change', (event) => {
    const signatureOf = (id) =>
      [...event.target.options].find(({ value }) => value === id)?.dataset.signature ?? '';
    const [before, now] = [signatureOf(field('signed').value), signatureOf(event.target.value)];
    if (editor) signEditor(before, now);
    else plain.value = signedAnew(plain.value, before, now);
    field('signed').value = event.target.value;
  });

  const signed = (signature) => (signature === '' ? '' : `\n\n-- \n${signature}`);

  /** As the server does it where there is no script. */
  function signedAnew(text, before, now) {
    if (before === '') {
      const at = text.search(/\n\n(?=[^\n]* wrote:\n>|-{5,})/);
      return at < 0 ? text.trimEnd() + signed(now) : text.slice(0, at) + signed(now) + text.slice(at);
    }
    const old = signed(before);
    const at = `${text}\n`.indexOf(`${old}\n`);
    return at < 0 ? text : text.slice(0, at) + signed(now) + text.slice(at + old.length);
  }

  function signEditor(before, now) {
    const lines = (signature) => (signature === '' ? [] : ['', ...`-- \n${signature}`.split('\n')]);
    const children = [...editor.children];
    const written = children.map(({ textContent }) => textContent.replaceAll('\u00a0', ' ').trimEnd());
    const old = lines(before).map((line) => line.trimEnd());
    const at =
      old.length === 0
        ? children.length
        : written.findIndex((_, i) => old.every((line, n) => written[i + n] === line));
    if (at < 0) return;
    const fresh = lines(now).map(lineOf);
    if (at === children.length) editor.append(...fresh);
    else children[at].before(...fresh);
    for (const child of children.slice(at, at + old.length)) child.remove();
  }

  /* Times: by the clock in the account's zone, or, if none was chosen, in the browser's. */

  const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zone = (field('zone').value ||= ownZone);
  document.getElementById('zone').textContent = `By the clock in ${zone}`;

  /* A browser may be older than the name of a zone. */
  const knows = (timeZone) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone }) !== undefined;
    } catch {
      return false;
    }
  };
  const choices = field('delay');
  // In Swedish a date is written as ISO 8601 has it.
  const dateIn = (timeZone) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format();
  const today = new Date(`${knows(zone) ? dateIn(zone) : dateIn(ownZone)}T00:00Z`);
  const morning = (days) => {
    const date = new Date(today);
    date.setUTCDate(date.getUTCDate() + days);
    return `${date.toISOString().slice(0, 10)}T08:00`;
  };
  const untilMonday = (8 - today.getUTCDay()) % 7 || 7;
  for (const [words, days] of [
    ['Tomorrow at 8', 1],
    ['Monday at 8', untilMonday],
  ]) {
    choices.add(new Option(words, `at:${morning(days)}`));
  }
  // A choice is only a way to fill in the time.
  choices.addEventListener('change', () => {
    if (!choices.value.startsWith('at:')) return (field('at').value = '');
    field('at').value = choices.value.slice(3);
  });
  field('at').addEventListener('input', () => (choices.value = ''));
})();

/*
 * Lines of addresses: completed while they are typed (a combobox, WAI-ARIA 1.2, with the list below it), and
 * checked as far as they are finished. What is wrong stands under the line at once; sending names it anyway.
 */
'use strict';

(() => {
  const ASK_AFTER_MS = 200;
  const CHECK_AFTER_MS = 700;
  const LIST_CHARS_MAX = 4000;

  for (const input of document.querySelectorAll('[data-addresses]')) {
    complete(input);
    check(input);
  }

  /** The address that is being typed: what stands behind the last comma in front of the cursor. */
  function piece(input) {
    const before = input.value.slice(0, input.selectionStart);
    // A comma in a quoted name parts nothing.
    const quoted = before.replace(/"[^"]*"?/g, (name) => '_'.repeat(name.length));
    const from = Math.max(quoted.lastIndexOf(','), quoted.lastIndexOf(';')) + 1;
    return { from, to: input.selectionStart, text: before.slice(from).trim() };
  }

  function complete(input) {
    const list = document.createElement('ul');
    list.id = `${input.id}-suggestions`;
    list.className = 'suggestions';
    list.setAttribute('role', 'listbox');
    list.setAttribute('aria-label', 'Addresses');
    list.hidden = true;
    input.after(list);
    for (const [name, value] of [
      ['role', 'combobox'],
      ['aria-autocomplete', 'list'],
      ['aria-controls', list.id],
      ['aria-expanded', 'false'],
    ]) {
      input.setAttribute(name, value);
    }
    let timer;
    let at = -1;
    let asked = 0;

    const close = () => {
      list.hidden = true;
      at = -1;
      input.setAttribute('aria-expanded', 'false');
      input.removeAttribute('aria-activedescendant');
    };
    const mark = (next) => {
      const options = [...list.children];
      at = (next + options.length) % options.length;
      options.forEach((option, i) => option.setAttribute('aria-selected', String(i === at)));
      input.setAttribute('aria-activedescendant', options[at].id);
      options[at].scrollIntoView({ block: 'nearest' });
    };
    const take = (option) => {
      const { from, to } = piece(input);
      const [head, tail] = [input.value.slice(0, from), input.value.slice(to).replace(/^[\s,;]*/, '')];
      const written = `${head}${head && !head.endsWith(' ') ? ' ' : ''}${option.dataset.address}, `;
      input.value = written + tail;
      input.setSelectionRange(written.length, written.length);
      close();
      input.dispatchEvent(new Event('input', { bubbles: true }));
    };
    const ask = async () => {
      const { text } = piece(input);
      const mine = ++asked;
      if (text === '' || document.activeElement !== input) return close();
      const answer = await fetch(`/mail/addresses?q=${encodeURIComponent(text)}`).catch(() => undefined);
      const found = answer?.ok && !answer.redirected ? await answer.json() : [];
      if (mine !== asked) return;
      const options = found.filter(({ address }) => address.toLowerCase() !== text.toLowerCase());
      if (options.length === 0) return close();
      list.replaceChildren(...options.map((one, i) => optionOf(one, `${list.id}-${i}`)));
      list.hidden = false;
      at = -1;
      input.setAttribute('aria-expanded', 'true');
    };

    input.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(ask, ASK_AFTER_MS);
    });
    input.addEventListener('blur', () => {
      clearTimeout(timer);
      asked++;
      close();
    });
    input.addEventListener('keydown', (event) => {
      if (list.hidden) return;
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        event.preventDefault();
        mark(event.key === 'ArrowDown' ? at + 1 : Math.max(at, 0) - 1);
      } else if (event.key === 'Enter' && at >= 0 && !event.ctrlKey) {
        event.preventDefault();
        take(list.children[at]);
      } else if (event.key === 'Escape') {
        event.preventDefault();
        close();
      }
    });
    // Before the line loses its focus.
    list.addEventListener('mousedown', (event) => {
      event.preventDefault();
      const option = event.target.closest('[role=option]');
      if (option) take(option);
    });
  }

  function optionOf({ name, address, list }, id) {
    const option = document.createElement('li');
    option.id = id;
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    option.dataset.address = list ?? (name ? `"${name.replace(/["\\]/g, '')}" <${address}>` : address);
    if (name) {
      const who = document.createElement('b');
      who.textContent = name;
      option.append(who, ' ');
    }
    option.append(address);
    return option;
  }

  function check(input) {
    const fault = document.createElement('span');
    fault.id = `${input.id}-fault`;
    fault.className = 'fault';
    fault.setAttribute('aria-live', 'polite');
    input.parentElement.append(fault);
    let timer;
    let checked = '';

    const run = async (list) => {
      const wanted = list.trim();
      if (wanted === checked || wanted.length > LIST_CHARS_MAX) return;
      checked = wanted;
      const url = `/mail/addresses/faults?list=${encodeURIComponent(wanted)}`;
      const answer = wanted === '' ? undefined : await fetch(url).catch(() => undefined);
      const faults = answer?.ok && !answer.redirected ? await answer.json() : [];
      if (checked !== wanted) return;
      fault.textContent = faults.join(' ');
      input.setAttribute('aria-invalid', String(faults.length > 0));
      if (faults.length > 0) input.setAttribute('aria-describedby', fault.id);
      else input.removeAttribute('aria-describedby');
    };
    input.addEventListener('input', () => {
      clearTimeout(timer);
      // What is still being typed is not judged yet.
      timer = setTimeout(() => run(input.value.slice(0, piece(input).from)), CHECK_AFTER_MS);
    });
    input.addEventListener('blur', () => {
      clearTimeout(timer);
      run(input.value);
    });
  }
})();

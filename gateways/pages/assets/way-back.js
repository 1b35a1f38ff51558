/*
 * The way back, when the gateway that showed this page is gone: to the front door, which is on another port of
 * this host and knows a gateway that lives. The cookies go along, so nobody is logged out. A page that holds
 * typed text is not left: it says so, and waits for its gateway to return.
 */

const LOOK_EVERY_MS = 10_000;
const PATIENCE_MS = 2_000;

/** Whether a health check is answered well; what it says. Undefined: no. */
async function healthOf(origin) {
  try {
    const options = { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(PATIENCE_MS) };
    const answer = await fetch(`${origin}/healthz`, options);
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

function startWayBack() {
  const port = document.body.dataset.frontDoor;
  if (!port) return;
  const door = `${location.protocol}//${location.hostname}:${port}`;
  let touched = false;
  let looking = false;
  document.addEventListener('input', (event) => {
    touched ||= Boolean(event.target.closest('form[method="post"]'));
  });
  document.addEventListener('submit', () => (touched = false));

  const look = async () => {
    if (looking || document.hidden) return;
    looking = true;
    // Twice: a gateway that was started again at once is worth a second.
    const here =
      (await healthOf('')) ?? (await new Promise((go) => setTimeout(go, 1_000)), await healthOf(''));
    const elsewhere = here ? undefined : await healthOf(door);
    const busy = touched || document.querySelector('form[data-busy]') !== null;
    looking = false;
    tellAway(!here && busy, door);
    if (!here && !busy && elsewhere?.gateways > 0) {
      location.replace(`${door}${location.pathname}${location.search}${location.hash}`);
    }
  };
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', look);
  document.addEventListener('gatewaylost', look);
}

function tellAway(away, door) {
  const told = document.getElementById('away');
  if (!away) return told?.remove();
  if (told) return;
  const notice = document.createElement('p');
  notice.id = 'away';
  notice.className = 'notice bad';
  notice.setAttribute('role', 'alert');
  const link = document.createElement('a');
  link.href = door + location.pathname + location.search;
  link.target = '_blank';
  link.textContent = 'Open PennCloud in a new tab';
  notice.append(
    'The connection is lost for now. What you typed is still here, and can be sent once it is back. ',
    link,
  );
  const heading = document.querySelector('main h1');
  if (heading) heading.before(notice);
  else document.body.prepend(notice);
}

startWayBack();

/**
 * A browser that is watched while it opens a page made by a stranger. Whatever it sends to a host other than this
 * machine's loopback address goes through a proxy that keeps a record and answers with one pixel; what pages do inside
 * the browser is noted by the browser's own events.
 *
 * A payload that gets to run calls `ran()`, which every frame of every page has.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type BrowserContext, type Frame, type Page } from 'playwright-core';

export type Visit = {
  /** What must not happen, in words, with the name of the frame that did it; empty if nothing happened. */
  readonly findings: readonly string[];
  /** What went out to other hosts. */
  readonly requests: readonly ForeignRequest[];
  /** Addresses that a click opened in a window of their own. */
  readonly opened: readonly string[];
};

export type ForeignRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
};

const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

export class WatchedBrowser {
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #proxy: Server;
  readonly #requests: ForeignRequest[];
  #watched = { url: '', findings: new Set<string>(), clicking: false };
  #page: Page | undefined;

  private constructor(browser: Browser, context: BrowserContext, proxy: Server, requests: ForeignRequest[]) {
    this.#browser = browser;
    this.context = context;
    this.#proxy = proxy;
    this.#requests = requests;
  }

  static async open(): Promise<WatchedBrowser> {
    const requests: ForeignRequest[] = [];
    const proxy = await recordingProxy(requests);
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ],
      proxy: {
        server: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        bypass: '127.0.0.1',
      },
    });
    const context = await browser.newContext();
    const watched = new WatchedBrowser(browser, context, proxy, requests);
    await context.exposeBinding('ran', ({ frame }) => {
      watched.#watched.findings.add(`${nameOf(frame)}: a script ran`);
    });
    return watched;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#proxy.closeAllConnections();
    await new Promise((resolve) => this.#proxy.close(resolve));
  }

  /** Opens the page as a person would; with `click`, also clicks what stands in those of its frames. */
  async visit(url: string, click: (frame: string) => boolean = () => false): Promise<Visit> {
    const findings = new Set<string>();
    const opened: string[] = [];
    this.#requests.length = 0;
    this.#watched = { url, findings, clicking: false };
    const page = (this.#page ??= await this.#newPage());
    try {
      await page.goto(url, { waitUntil: 'load' });
      await settled(page);
    } catch (error) {
      // A download among others: there is no page then.
      findings.add(`it could not be opened: ${(error as Error).message.split('\n')[0]}`);
    }
    this.#watched.clicking = true;
    if (await clickIn(page, click)) await settled(page);
    for (const popup of this.context.pages().filter((one) => one !== page)) {
      await popup.waitForLoadState().catch(() => undefined);
      opened.push(popup.url());
      if (await popup.evaluate(() => Reflect.get(globalThis, 'opener') !== null)) {
        findings.add('a window that was opened holds on to its opener');
      }
      await popup.close();
    }
    // What happened on it must not spill into the next visit.
    if (findings.size > 0) {
      await page.close();
      this.#page = undefined;
    }
    return { findings: [...findings], requests: [...this.#requests], opened };
  }

  async #newPage(): Promise<Page> {
    const page = await this.context.newPage();
    const note = (finding: string | undefined) => finding && this.#watched.findings.add(finding);
    page.on('dialog', (dialog) => {
      note('a dialog opened');
      void dialog.dismiss();
    });
    page.on('download', () => note('a download began'));
    page.on('framenavigated', (frame) => note(strayed(frame, this.#watched.url)));
    page.on('popup', (popup) => !this.#watched.clicking && note(`a window opened: ${popup.url()}`));
    page.on('request', (request) => {
      const sent = request.method() === 'POST';
      note(sent ? `${nameOf(request.frame())}: a form or beacon was sent: ${request.url()}` : undefined);
    });
    return page;
  }
}

/**
 * Where a frame went that should have stayed. One that the browser refused to fill has gone nowhere, and its viewer
 * for PDF stands in a frame of its own origin.
 */
function strayed(frame: Frame, url: string): string | undefined {
  const there = frame.url();
  if (/^(?:about:(?:blank|srcdoc)$|chrome-error:|chrome-extension:)/.test(there)) return undefined;
  const stays = frame.parentFrame() === null ? there === url : there.startsWith(new URL(url).origin);
  return stays ? undefined : `${nameOf(frame)}: it went to another address: ${there}`;
}

/** The name of the outermost frame that this one stands in. */
function nameOf(frame: Frame): string {
  const parent = frame.parentFrame();
  if (parent === null) return 'the page';
  return parent.parentFrame() === null ? `frame ${frame.name()}` : nameOf(parent);
}

/**
 * Two frames are painted and a task is run in each frame: by then what a page does of itself has begun. (The
 * same wait finds what pages do when no wall stands around them.)
 */
async function settled(page: Page): Promise<void> {
  const turns = () =>
    new Promise((resolve) => {
      const paint = (then: () => void) => Reflect.get(globalThis, 'requestAnimationFrame')(then);
      paint(() => paint(() => setTimeout(resolve, 0)));
    });
  // In a document that may run no script, timers never end either: it gets a moment.
  const moment = new Promise((resolve) => setTimeout(resolve, 300));
  await Promise.race([page.evaluate(turns), moment]);
}

async function clickIn(page: Page, wanted: (frame: string) => boolean): Promise<boolean> {
  let clicked = false;
  for (const frame of page.frames().filter((one) => one !== page.mainFrame() && wanted(one.name()))) {
    for (const target of await frame.locator('a, area, button, input, mi').all()) {
      // Also gone by now, if an earlier click led the frame away.
      const isLink = await target.evaluate(LEADS_AWAY, undefined, { timeout: 200 }).catch(() => false);
      const opens = isLink ? page.waitForEvent('popup').catch(() => undefined) : undefined;
      const timeout = isLink ? 3_000 : 200;
      const isClicked = await target.click({ timeout, force: true, noWaitAfter: true }).then(
        () => true,
        () => false,
      );
      if (isClicked) await opens;
      clicked = true;
    }
  }
  return clicked;
}

const LEADS_AWAY = (element: { getAttribute(name: string): string | null }) =>
  element.getAttribute('target') === '_blank' && (element.getAttribute('href') ?? '').startsWith('http');

/** What the browser asks for of its own accord. */
const OWN_HOSTS = /^(?:http:\/\/)?(?:[\w-]+\.)*google(?:apis)?\.com[:/]/;

function recordingProxy(requests: ForeignRequest[]): Promise<Server> {
  const record = ({ method = '', url = '', headers }: IncomingMessage) => {
    if (!OWN_HOSTS.test(url)) requests.push({ method, url, headers });
  };
  const server = createServer((request, response) => {
    record(request);
    response.setHeader('content-type', 'image/gif');
    response.end(PIXEL);
  });
  server.on('connect', (request, socket) => {
    record(request);
    socket.end('HTTP/1.1 502 No such host\r\n\r\n');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Puts new pieces of a page into their places as the server sends them, and leaves what a reader has opened as it is. */

const link = document.getElementById('link');
const { events } = link.dataset;
let { seen } = link.dataset;
let source;

/** How long to wait where the server refuses; a connection that breaks off the browser makes again by itself. */
const REFUSED_MS = 5_000;

const OPERABLE = 'a[href], button, summary, input, [tabindex]';

/** What a reader may have done to a piece: opened details, scrolled or sorted a table, put the focus somewhere. */
function keep(place) {
  const all = (selector) => [...place.querySelectorAll(selector)];
  const opened = all('details').map(({ open }) => open);
  const scrolled = all('.scroll').map(({ scrollLeft, scrollTop }) => ({ scrollLeft, scrollTop }));
  const sorted = all('th').map((head) => head.getAttribute('aria-sort'));
  const focused = all(OPERABLE).indexOf(document.activeElement);
  return () => {
    // Where there are more or fewer of them now, they are not the same ones.
    const details = all('details');
    if (details.length === opened.length) for (const [at, each] of details.entries()) each.open = opened[at];
    const heads = all('th');
    if (heads.length === sorted.length)
      for (const [at, way] of sorted.entries()) {
        // The first click sorts upwards, the second downwards.
        if (way !== null) heads[at].click();
        if (way === 'descending') heads[at].click();
      }
    const tables = all('.scroll');
    if (tables.length === scrolled.length)
      for (const [at, each] of tables.entries()) Object.assign(each, scrolled[at]);
    if (focused >= 0) all(OPERABLE)[focused]?.focus({ preventScroll: true });
  };
}

function show({ title, changed }) {
  document.title = `${title} · fedbatch`;
  for (const [name, markup] of Object.entries(changed)) {
    const place = document.querySelector(`[data-piece="${CSS.escape(name)}"]`);
    // A page of another kind, e.g. of a run that could not be read before.
    if (place === null) return location.reload();
    const restore = keep(place);
    place.innerHTML = markup;
    restore();
  }
}

function connect() {
  source?.close();
  source = new EventSource(`${events}?seen=${encodeURIComponent(seen)}`);
  source.addEventListener('open', () => say('Updates by itself.'));
  source.addEventListener('pieces', ({ data, lastEventId }) => {
    show(JSON.parse(data));
    seen = lastEventId;
  });
  source.addEventListener('over', () => {
    source.close();
    source = undefined;
    say('The run is over: nothing changes any more.');
    document.removeEventListener('visibilitychange', attend);
  });
  source.addEventListener('error', () => {
    say('No connection to the server: what is shown may be old. Trying again …');
    if (source?.readyState === EventSource.CLOSED) setTimeout(attend, REFUSED_MS);
  });
}

function say(text) {
  if (link.textContent !== text) link.textContent = text;
}

/** Browsers have few connections to a server: a page that nobody sees needs none. */
function attend() {
  if (document.visibilityState === 'visible') return connect();
  source?.close();
  source = undefined;
}

document.addEventListener('visibilitychange', attend);
attend();

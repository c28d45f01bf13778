/** What a report does where JavaScript is on: columns sort at a click, charts read out what the pointer is on. */
import { html } from '../lib/html/html.js';

/**
 * The script of every report, as an element of its head, the same on each: nothing of a run's records is in it. It hears the
 * whole document, so that what is drawn anew sorts and reads out too.
 */
export const PAGE_SCRIPT = html`<script>
addEventListener('DOMContentLoaded', () => {
  const box = document.body.appendChild(document.createElement('div'));
  box.className = 'readout';
  box.hidden = true;
  box.setAttribute('aria-hidden', 'true');

  // A title becomes data once it was read: the browser would show it a second time.
  const toldBy = (from) => {
    for (let each = from; each instanceof Element && each !== document.body; each = each.parentElement) {
      const title = each instanceof SVGElement ? each.querySelector(':scope > title') : null;
      const text = title?.textContent ?? each.getAttribute('title');
      if (text) {
        each.dataset.told = text;
        title?.remove();
        each.removeAttribute('title');
      }
      if (each.dataset.told) return each.dataset.told;
    }
  };
  const show = (event) => {
    const text = toldBy(event.target);
    box.hidden = !text;
    if (!text) return;
    box.textContent = text;
    const left = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
    const below = event.clientY + 18;
    const top = below + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : below;
    box.style.left = Math.max(8, left) + 'px';
    box.style.top = Math.max(8, top) + 'px';
  };
  document.addEventListener('pointermove', show);
  document.addEventListener('pointerdown', show);
  document.addEventListener('scroll', () => { box.hidden = true; }, true);

  const makeSortable = () => {
    for (const head of document.querySelectorAll('.sortable thead th:not(:has(button))')) {
      const button = document.createElement('button');
      button.append(...head.childNodes);
      head.append(button);
    }
  };
  makeSortable();
  new MutationObserver(makeSortable).observe(document.body, { childList: true, subtree: true });

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim().replaceAll(',', '');
    return text === '' ? undefined : Number.isNaN(Number.parseFloat(text)) ? text : Number.parseFloat(text);
  };
  const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === 'number' ? -1 : 1;
  document.addEventListener('click', ({ target }) => {
    const head = target.closest('.sortable thead th');
    if (!head) return;
    const body = head.closest('table').tBodies[0];
    const way = head.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
    for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', way);
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, head.cellIndex) }));
    rows.sort((a, b) => {
      // Rows without a value stay at the end, whichever way.
      if (a.value === undefined || b.value === undefined) return (a.value === undefined) - (b.value === undefined);
      return way === 'ascending' ? compare(a.value, b.value) : compare(b.value, a.value);
    });
    body.append(...rows.map(({ row }) => row));
  });
});
</script>`;

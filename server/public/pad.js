/** The drawing pad: pointer and keyboard make strokes, and what is drawn is read while it grows. */

/** Like a felt pen on paper: what a model of pen strokes has seen most. */
const LINE_WIDTH = 26;
const INK = '#1b1d22';
const PAPER = '#ffffff';
/** While a stroke grows it is read at most so often; when it ends, at once. */
const READ_EVERY_MS = 250;
/** After each pause that the server asks for, half as often, down to this. */
const READ_SELDOM_MS = 4000;
/** A key press moves the pen this far. */
const KEY_STEP = 12;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Makes `canvas` a pad. `read(blob, drawing)` gets a picture and the number of the drawing; no blob when it is empty. One
 * picture is read at a time, however long that takes, and then the newest. It resolves to `{pauseMs}` where the newest
 * picture may be read again only after a pause, to `{isGivenUp: true}` where something else is read instead, or to nothing.
 */
export function openPad(canvas, { read }) {
  const context = canvas.getContext('2d');
  const find = (id) => document.getElementById(id);
  let strokes = [];
  let drawing = 1;
  let timer;
  let readEveryMs = READ_EVERY_MS;
  let pausedUntil = 0;
  let isReading = false;
  let hasChanged = false;

  const redraw = () => {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, canvas.width, canvas.height);
    Object.assign(context, { strokeStyle: INK, lineWidth: LINE_WIDTH, lineCap: 'round', lineJoin: 'round' });
    for (const [first, ...rest] of strokes) {
      context.beginPath();
      context.moveTo(...first);
      // A tap is a dot.
      for (const point of rest.length > 0 ? rest : [first]) context.lineTo(...point);
      context.stroke();
    }
    for (const id of ['pad-undo', 'pad-clear']) find(id).disabled = strokes.length === 0;
    find('pad-invitation').hidden = strokes.length > 0;
  };
  const readNow = async () => {
    clearTimeout(timer);
    timer = undefined;
    hasChanged = strokes.length > 0;
    if (!hasChanged) {
      void read(undefined, drawing);
      drawing++;
      return;
    }
    if (isReading) return;
    if (performance.now() < pausedUntil) return readAfterPause();
    [isReading, hasChanged] = [true, false];
    const number = drawing;
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    const { pauseMs, isGivenUp = false } = (blob && (await read(blob, number))) ?? {};
    isReading = false;
    if (pauseMs !== undefined) {
      pausedUntil = performance.now() + pauseMs;
      readEveryMs = Math.min(READ_SELDOM_MS, readEveryMs * 2);
      clearTimeout(timer);
      return readAfterPause();
    }
    // A drawing that gave way to another picture is read again when it goes on.
    if (hasChanged && !(isGivenUp && number === drawing)) void readNow();
  };
  const readAfterPause = () => {
    timer = setTimeout(readNow, pausedUntil - performance.now());
  };
  const readSoon = () => {
    timer ??= setTimeout(readNow, readEveryMs);
  };
  const change = (next) => {
    strokes = next;
    redraw();
    void readNow();
  };
  find('pad-undo').addEventListener('click', () => change(strokes.slice(0, -1)));
  find('pad-clear').addEventListener('click', () => change([]));

  drawByPointer(canvas, {
    begin: (point) => {
      strokes = [...strokes, [point]];
      redraw();
    },
    go: (point) => {
      strokes.at(-1).push(point);
      redraw();
      readSoon();
    },
    end: () => void readNow(),
  });
  drawByKeys(canvas, {
    pen: find('pad-pen'),
    begin: (point) => change([...strokes, [point]]),
    go: (point) => {
      strokes.at(-1).push(point);
      redraw();
      readSoon();
    },
  });
  redraw();
}

function drawByPointer(canvas, { begin, go, end }) {
  const pointOf = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [
      ((event.clientX - left) * canvas.width) / width,
      ((event.clientY - top) * canvas.height) / height,
    ];
  };
  /** A second finger does not draw across the first one's line. */
  let active;
  canvas.addEventListener('pointerdown', (event) => {
    if (active !== undefined || event.button > 0) return;
    active = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    begin(pointOf(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    if (event.pointerId !== active) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) go(pointOf(each));
  });
  for (const type of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(type, (event) => {
      if (event.pointerId !== active) return;
      active = undefined;
      end();
    });
  }
}

function drawByKeys(canvas, { pen, begin, go }) {
  let [x, y, isDown] = [canvas.width / 2, canvas.height / 4, false];
  const showPen = () => {
    pen.hidden = false;
    pen.style.left = `${(x / canvas.width) * 100}%`;
    pen.style.top = `${(y / canvas.height) * 100}%`;
    pen.dataset.down = String(isDown);
  };
  canvas.addEventListener('keydown', (event) => {
    const direction = DIRECTIONS[event.key];
    if (direction === undefined && event.key !== ' ') return;
    event.preventDefault();
    if (direction === undefined) {
      isDown = !isDown;
      if (isDown) begin([x, y]);
    } else {
      x = Math.max(0, Math.min(canvas.width, x + direction[0] * KEY_STEP));
      y = Math.max(0, Math.min(canvas.height, y + direction[1] * KEY_STEP));
      if (isDown) go([x, y]);
    }
    showPen();
  });
  canvas.addEventListener('blur', () => {
    isDown = false;
    pen.hidden = true;
  });
}

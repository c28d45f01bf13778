/** Functions that tests run inside the page: each stands alone, for it is sent to the browser as text. */

// The little of a browser that they use; its whole types would make `document` known to the server too.
interface PageElement {
  readonly textContent: string | null;
  readonly dataset: Readonly<Record<string, string>>;
  readonly classList: { contains(name: string): boolean };
  readonly naturalWidth: number;
  readonly naturalHeight: number;
  readonly scrollWidth: number;
  readonly scrollHeight: number;
  readonly clientWidth: number;
  readonly clientHeight: number;
  decode(): Promise<void>;
  dispatchEvent(event: object): boolean;
  readonly hidden: boolean;
  getBoundingClientRect(): { readonly top: number; readonly bottom: number };
}
interface Violation {
  readonly violatedDirective: string;
  readonly blockedURI: string;
}
declare const document: {
  readonly body: PageElement;
  readonly documentElement: PageElement;
  querySelector(selector: string): PageElement;
  addEventListener(type: string, listener: (event: Violation) => void): void;
};
declare const axe: {
  run(): Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly impact: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  }>;
};
declare const innerHeight: number;
declare const getComputedStyle: (element: PageElement) => { readonly backgroundColor: string };
declare const DataTransfer: new () => { readonly items: { add(file: object): void } };
declare const File: new (parts: readonly Uint8Array[], name: string, options: object) => object;
declare const DragEvent: new (type: string, options: object) => object;
declare const ClipboardEvent: new (type: string, options: object) => object;

/** Writes what the content security policy blocks to the console. */
export function reportViolations(): void {
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
    console.error(`blocked ${violatedDirective}: ${blockedURI}`);
  });
}

/** Whether the page shows `digit` as its answer. */
export function isAnswered(digit: string): boolean {
  const { dataset } = document.querySelector('#answer');
  return document.querySelector('#digit').textContent === digit && dataset.state === 'done';
}

/** Whether the pad has said what it reads. */
export function hasPadAnswer(): boolean {
  return document.querySelector('#pad-answer').dataset.state === 'read';
}

/** Whether the pad says this. */
export function padSays(text: string): boolean {
  return document.querySelector('#pad-answer').textContent === text;
}

/** Whether the answer stands as if nothing had been asked; what is wrong may be said. */
export function isAnswerEmpty(): boolean {
  const hidden = ['#given', '#seen', '#way'].every((id) => document.querySelector(id).hidden);
  return hidden && document.querySelector('#digit').textContent === '?';
}

/** Whether all of an element lies on the screen as it is scrolled now. */
export function isOnScreen(selector: string): boolean {
  const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight && bottom > top;
}

/** Whether the answer begins in the upper part of the screen. */
export function isAnswerOnTop(): boolean {
  const { top } = document.querySelector('#answer').getBoundingClientRect();
  return top >= -5 && top < 500;
}

/** Whether nothing of what the model reads is cut off. */
export function isReadingWhole(): boolean {
  const { scrollWidth, scrollHeight, clientWidth, clientHeight } = document.querySelector('#digit');
  return scrollWidth <= clientWidth && scrollHeight <= clientHeight;
}

/** What axe finds in the page that is serious or worse; axe's own script must have run in it. */
export async function seriousViolations(): Promise<readonly string[]> {
  const { violations } = await axe.run();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Width and height of an image's file once it is there. @throws where it cannot be shown */
export async function imageSize(selector: string): Promise<readonly [width: number, height: number]> {
  const image = document.querySelector(selector);
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}

/** Pastes a PNG of these bytes. */
export function pastePng(bytes: readonly number[]): void {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], 'digit.png', { type: 'image/png' }));
  const event = new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
  document.querySelector('h1').dispatchEvent(event);
}

/** Drags a PNG of these bytes over the page's title and drops it there. Returns after which events the page was marked. */
export function dropPng(bytes: readonly number[]): readonly string[] {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], 'digit.png', { type: 'image/png' }));
  return ['dragenter', 'dragover', 'drop'].filter((type) => {
    const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector('h1').dispatchEvent(event);
    return document.body.classList.contains('dragging');
  });
}

/** How wide the page is, where its answer begins on the screen, and what colour it has. */
export function pageLayout() {
  return {
    width: document.documentElement.scrollWidth,
    background: getComputedStyle(document.body).backgroundColor,
  };
}

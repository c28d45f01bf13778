/** What every HTML page of the server has around its content. */
import { type Html, html, toText } from '../../lib/html/html.js';

/** A whole HTML document. */
export function layout({ title, content }: { readonly title: string; readonly content: Html }): string {
  return toText(html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · fedbatch</title>
    <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/page.css">
    <script type="module" src="/static/page.js"></script>
  </head>
  <body>
    ${content}
  </body>
</html>
`);
}

/** A page that says what went wrong and leads back. */
export function errorPage({
  status,
  message,
}: {
  readonly status: number;
  readonly message: string;
}): string {
  return layout({
    title: String(status),
    content: html`<main class="lost">
      <p class="code">${status}</p>
      <h1>${message}</h1>
      <p><a href="/">Back to the page</a></p>
    </main>`,
  });
}

/** A whole page: what every page of fedbatch has in its head, and what one has of its own. */
import { type Html, html, toText } from './html.js';

/** The page as a document that is light or dark by the reader's setting. */
export function wholePage({
  title,
  head,
  body,
}: {
  readonly title: string;
  /** What its own looks and scripts are. */
  readonly head: Html;
  readonly body: Html;
}): string {
  return toText(html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · fedbatch</title>
  ${head}
</head>
<body>
  ${body}
</body>
</html>
`);
}

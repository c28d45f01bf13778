import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { html, toText } from './html.js';

describe('the html template', () => {
  it('escapes text and leaves its own pieces alone', () => {
    const name = `<b title='x'>"&</b>`;
    const piece = html`<i>${name}</i>`;
    assert.equal(toText(piece), '<i>&lt;b title=&#39;x&#39;&gt;&quot;&amp;&lt;/b&gt;</i>');
    assert.equal(
      toText(html`${[piece, piece]}${undefined}${false}${0}`),
      `${toText(piece)}${toText(piece)}0`,
    );
  });

  it('lets no text out of its place', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const inside = toText(html`<p title="${text}">${text}</p>`).slice(
          '<p title="'.length,
          -'</p>'.length,
        );
        assert.doesNotMatch(inside.replace('">', ''), /[<>"']/);
      }),
    );
  });

  it('leaves backslashes and template syntax of the text as they are', () => {
    assert.equal(toText(html`<p>${'\\n $1 $&'}</p>`), '<p>\\n $1 $&amp;</p>');
  });
});

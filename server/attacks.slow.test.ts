/** Bodies of 15 MB, as large as a server takes them. */
import { after, before, describe } from 'node:test';
import { testLargeBodies } from './testing/large-bodies.js';
import { type ServedApp, serveApp } from './testing/served-app.js';

describe('attacks by bodies of 15 MB', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  testLargeBodies(() => app, { sizeBytes: 15_000_000, mostGrowth: 600 * 2 ** 20 });
});

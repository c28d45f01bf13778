import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseClient } from './call.js';

const files = { data: 'data/{client}.npz', out: 'updates/{client}.h5' };

describe('which client a trainer trains', () => {
  it('is the one that is named', () => {
    assert.deepEqual(chooseClient(files, { client: 4, clients: [7], clientIndex: 0 }), {
      client: 4,
      data: 'data/4.npz',
      out: 'updates/4.h5',
    });
  });

  it('is that of the index, where all clients train', () => {
    assert.equal(chooseClient(files, { clientIndex: 2 }).out, 'updates/2.h5');
    assert.equal(chooseClient(files, { clients: [], clientIndex: 2 }).client, 2);
  });

  it('is the one at the index of the selected ones, in every path', () => {
    const init = 'models/{client}.h5';
    assert.deepEqual(chooseClient({ ...files, init }, { clients: [3, 7, 12], clientIndex: 1 }), {
      client: 7,
      data: 'data/7.npz',
      out: 'updates/7.h5',
      init: 'models/7.h5',
    });
  });

  it('is that of the shard, where no path asks for a number: the environment of a Job changes nothing', () => {
    assert.equal(chooseClient({ data: 'data/5.npz', out: 'x.h5' }, { clientIndex: 2 }).client, 5);
    assert.equal(chooseClient({ data: 'mine.npz', out: 'x.h5' }, {}).client, 0);
  });

  it('is refused where nothing tells it', () => {
    assert.throws(() => chooseClient(files, {}), /expected --client or --client-index for \{client\}/);
    assert.throws(
      () => chooseClient(files, { clients: [3, 7], clientIndex: 2 }),
      /expected less than 2, found 2/,
    );
  });
});

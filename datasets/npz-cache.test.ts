/** Where datasets are kept between runs. */
import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cacheDirectory } from './npz-cache.js';

test('the cache is where the environment says, else below the home directory', () => {
  assert.equal(cacheDirectory({ FEDBATCH_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' }), '/a');
  assert.equal(cacheDirectory({ FEDBATCH_CACHE_DIR: '', XDG_CACHE_HOME: '/b' }), join('/b', 'fedbatch'));
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: 'relative' }), join(homedir(), '.cache', 'fedbatch'));
  assert.equal(cacheDirectory({}), join(homedir(), '.cache', 'fedbatch'));
});

/** The lock where a file system has no hard links. */
import { testTakers } from '../../../test/lock-takers.js';

testTakers('no-links');

/** Makes a file once, as where there are no hard links, for tests of what a kill leaves (`kill-at`): its path and its text are the arguments. */
import { createFileAtomic } from '../../lib/formats/files/create-file.js';
import { withoutLinks } from '../without-links.js';

const [path = '', text = ''] = process.argv.slice(2);
await withoutLinks(() => createFileAtomic(path, text, 0o600));

// Run by images-crash.test.ts: loads an archive into a graph root, or removes an image, and is killed at a fail point on the way.
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../src/base/index.ts';
import { openImageService } from '../src/images/index.ts';
import { StateDb } from '../src/state/index.ts';
import { openOverlay2 } from '../src/storage/index.ts';

const [root = '', verb = '', what = ''] = process.argv.slice(2);
const db = new StateDb(join(root, 'isulad.db'));
const snapshots = openOverlay2({ graphRoot: root, options: [], logger: silentLogger });
const images = await openImageService({ graphRoot: root, db, snapshots, logger: silentLogger });
if (verb === 'load') await images.load(createReadStream(what), { tag: '', type: 'oci', quiet: true }, () => undefined, new AbortController().signal);
else await images.remove(what, { force: false, noPrune: false });
db[Symbol.dispose]();

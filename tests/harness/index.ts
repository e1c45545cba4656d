/**
 * Tests against a real isulad. A test file looks like this, `tests/container-start.test.ts`:
 *
 *     import { expect, test } from 'bun:test';
 *     import { at, useDaemon } from './harness/index.ts';
 *
 *     const daemon = useDaemon();             // one daemon for the file, with busybox:latest; gone afterwards
 *
 *     test('a container gives its exit status', async () => {
 *       const { code, stdout } = await daemon.isula(['run', '--rm', 'busybox', 'sh', '-c', 'echo hi; exit 3']);
 *       expect([code, stdout]).toEqual([3, 'hi\n']);
 *       const list = await daemon.http('GET', '/containers/json?all=1');
 *       expect(at(list.json(), 'length')).toBe(0);
 *     });
 *
 * - `isula(args, {input})`, `ok(args)` (throws unless 0, gives stdout), `background(args)`, `terminal(args)`, `docker(args)`, `http(method, path)`,
 *   `raw(bytes)`; `kill()` and `start()` for a crash and the next start. `waitUntil(what, condition)` instead of any sleep.
 * - Build first (`./test.sh` does): node_modules/.bin/bun tools/build.ts; ISULA_DIST names another build's directory.
 * - The end of a file removes all containers, stops the daemon and fails when a process, mount, cgroup, bundle, layer or socket is left.
 *   What runs that died left behind is cleared when the next one starts.
 * - Run one file: node_modules/.bin/bun test tests/container-start.test.ts
 */
import { afterAll, beforeAll, setDefaultTimeout } from 'bun:test';
import { TestDaemon, type DaemonOptions } from './daemon.ts';

export { expectConsistent } from './audit.ts';
export { Background, dist, root, runCommand, waitUntil } from './command.ts';
export { dockerClients, TestDaemon } from './daemon.ts';
export { at } from './json.ts';
export { cgroupDirs, mountsBelow, processesOf, removeCgroup, subdirectories, wipe } from './leftovers.ts';

/** A machine under load is slow; a hanging test ends all the same. */
const testTimeoutMs = 120_000;

/** One daemon for the tests of a file. */
export function useDaemon(options: DaemonOptions = {}): TestDaemon {
  setDefaultTimeout(testTimeoutMs);
  const daemon = new TestDaemon(options);
  beforeAll(async () => {
    await daemon.start();
    if (options.busybox !== false) await daemon.importBusybox();
  });
  afterAll(() => daemon.close());
  return daemon;
}

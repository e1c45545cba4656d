import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { umountAll } from '../src/linux/index.ts';
import { at, expectConsistent, runCommand, TestDaemon, waitUntil } from './harness/index.ts';

/** The graph root's file system is full: clear errors, no damage, and everything that frees space goes on. */
setDefaultTimeout(120_000);
const daemon = new TestDaemon();
const filler = (): string => join(daemon.graph, 'filler');
const noSpace = /no space left on device|disk is full/i;

beforeAll(async () => {
  await daemon.start();
  await daemon.stop();
  const image = join(daemon.dir, 'disk.img');
  await runCommand(['truncate', '-s', '64M', image]);
  const made = await runCommand(['mkfs.ext4', '-q', '-m', '0', image]);
  const mounted = made.code === 0 ? await runCommand(['mount', '-o', 'loop', image, daemon.graph]) : made;
  if (mounted.code !== 0) expect((await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=64m,mode=711', 'tmpfs', daemon.graph])).code).toBe(0);
  await daemon.start();
  await daemon.importBusybox();
  expect((await runCommand(['dd', 'if=/dev/urandom', `of=${join(daemon.dir, 'big')}`, 'bs=1M', 'count=3'])).code).toBe(0);
  expect((await runCommand(['tar', '-C', daemon.dir, '-cf', join(daemon.dir, 'big.tar'), 'big'])).code).toBe(0);
});

afterAll(async () => {
  rmSync(filler(), { force: true });
  await daemon.removeAll();
  await daemon.stop();
  umountAll(daemon.graph);
  await daemon.close();
});

/** Takes all that is left. */
function fill(): void {
  const fd = openSync(filler(), 'a');
  try {
    for (const size of [1 << 20, 1 << 16, 1 << 12, 1]) {
      const chunk = new Uint8Array(size);
      try {
        while (writeSync(fd, chunk) === size);
      } catch {
        // Full for this size.
      }
    }
  } finally {
    closeSync(fd);
  }
}

function inspect(name: string, format: string): Promise<string> {
  return daemon.ok(['inspect', '-f', format, name]);
}

async function fails(args: readonly string[]): Promise<void> {
  const { code, stderr } = await daemon.isula(args);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(noSpace);
}

test('a full disk: what needs space is refused, what frees it goes on, nothing is damaged', async () => {
  await daemon.ok(['run', '-d', '--name', 'runs', 'busybox', 'sleep', '1000']);
  await daemon.ok(['run', '-d', '--name', 'stops', 'busybox', 'sleep', '1000']);
  await daemon.ok(['run', '-di', '--name', 'ends', 'busybox', 'sh', '-c', 'read go; exit 5']);
  await daemon.ok(['run', '-di', '--rm', '--name', 'passes', '-v', '/data', 'busybox', 'sh', '-c', 'read go; exit 6']);
  await daemon.ok(['run', '-di', '--name', 'talks', 'busybox', 'sh', '-c', 'read go; seq 200000; exec sleep 1000']);
  await daemon.ok(['create', '--name', 'goes', 'busybox', 'true']);
  await daemon.ok(['tag', 'busybox', 'second:1']);
  const ids = (await daemon.ok(['ps', '-aq', '--no-trunc'])).split('\n').toSorted();
  fill();

  await fails(['import', join(daemon.dir, 'big.tar'), 'big:1']);
  await fails(['exec', 'runs', 'sh', '-c', 'dd if=/dev/zero of=/file bs=1M count=1']);
  expect(readdirSync(join(daemon.graph, 'blobs', 'ingest'))).toEqual([]);
  for (let turn = 0; turn < 20; turn++) {
    const { code, stderr } = await daemon.isula(['create', '--name', `new${turn}`, 'busybox', 'true']);
    if (code !== 0) expect(stderr).toMatch(noSpace);
    else await daemon.ok(['rm', `new${turn}`]);
  }
  expect((await daemon.ok(['ps', '-aq', '--no-trunc'])).split('\n').toSorted()).toEqual(ids);
  expect(await daemon.ok(['exec', 'runs', 'echo', 'hi'])).toBe('hi');

  await daemon.ok(['stop', '-t', '0', 'stops']);
  expect(await inspect('stops', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 137');
  for (const [name, code] of [['ends', '5'], ['passes', '6']] as const) {
    using waits = daemon.background(['wait', name]);
    using client = daemon.background(['attach', name]);
    client.write('go\n');
    await waits.waitFor(code);
  }
  await waitUntil('the container of --rm to be gone', async () => (await daemon.http('GET', '/containers/passes/json')).status === 404);
  using talker = daemon.background(['attach', 'talks']);
  talker.write('go\n');
  await talker.waitFor('200000\n');
  expect(await inspect('talks', '{{.State.Running}}')).toBe('true');
  await daemon.ok(['rm', 'goes']);
  await daemon.ok(['rmi', 'second:1']);
  expect(await daemon.ok(['ps', '-q', '--filter', 'name=runs'])).not.toBe('');
});

test('a crash and a start on a full disk lose nothing', async () => {
  fill();
  const pid = await inspect('runs', '{{.State.Pid}}');
  await daemon.kill();
  await daemon.start();
  expect(await inspect('runs', '{{.State.Pid}}')).toBe(pid);
  expect(await inspect('ends', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 5');
  expect(await daemon.ok(['exec', 'runs', 'echo', 'hi'])).toBe('hi');
  await daemon.ok(['rm', '-f', 'stops', 'talks']);
});

test('with space again everything works', async () => {
  rmSync(filler());
  await expectConsistent(daemon);
  await daemon.ok(['start', 'ends']);
  await daemon.ok(['import', join(daemon.dir, 'big.tar'), 'big:1']);
  expect(await daemon.ok(['run', '--rm', 'busybox', 'echo', 'hi'])).toBe('hi');
  await daemon.ok(['commit', 'runs', 'made:1']);
  expect(await daemon.ok(['run', '--rm', 'made:1', 'echo', 'hi'])).toBe('hi');
  expect(at((await daemon.http('GET', '/images/json')).json(), 'length')).toBe(3);
  await daemon.ok(['rmi', 'big:1', 'made:1']);
  await expectConsistent(daemon);
});

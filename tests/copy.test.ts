import { afterAll, beforeAll, expect, test } from 'bun:test';
import {
  existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { at, Background, dockerClients, runCommand, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
const sleeper = ['busybox', 'sh', '-c', 'trap exit TERM; while :; do sleep 0.05; done'];
let dir = '';

beforeAll(() => {
  dir = mkdtempSync('/tmp/isula-copy-');
  mkdirSync(join(dir, 'src/sub'), { recursive: true });
  writeFileSync(join(dir, 'src/a'), 'A\n', { mode: 0o640 });
  writeFileSync(join(dir, 'src/sub/b'), 'B\n');
  symlinkSync('a', join(dir, 'src/link'));
  utimesSync(join(dir, 'src/a'), 1_000_000_000, 1_000_000_000);
  Bun.spawnSync(['chown', '1000:1000', join(dir, 'src/a')]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function inspect(name: string): Promise<unknown> {
  return (await daemon.http('GET', `/containers/${name}/json`)).json();
}

/** True while the container's processes are stopped by the freezer. */
async function isFrozen(name: string): Promise<boolean> {
  const path = `${daemon.cgroup}/${String(at(await inspect(name), 'Id'))}`;
  const v1 = join('/sys/fs/cgroup/freezer', path, 'freezer.state');
  if (existsSync(v1)) return readFileSync(v1, 'utf8').trim() === 'FROZEN';
  return readFileSync(join('/sys/fs/cgroup', path, 'cgroup.events'), 'utf8').includes('frozen 1');
}

/** A tar of one file of so many bytes. */
async function tarOf(name: string, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  writeFileSync(join(dir, name), Buffer.alloc(bytes, 'x'));
  const { bytes: tar } = await runCommand(['tar', '-C', dir, '-c', name]);
  return Uint8Array.from(tar);
}

/** Starts a copy into the container whose archive stops in the middle. */
function halfCopy(name: string, tar: Uint8Array): Background {
  const copy = daemon.background(['cp', '-', `${name}:/tmp`]);
  copy.write(tar.subarray(0, tar.length / 2));
  return copy;
}

test('copies both ways with modes, times, links; -a keeps owners, -L follows, - is a tar', async () => {
  await daemon.ok(['run', '-d', '--name', 'c1', ...sleeper]);
  await daemon.ok(['cp', join(dir, 'src'), 'c1:/']);
  await daemon.ok(['cp', `${dir}/src/.`, 'c1:/tmp']);
  const look = 'stat -c "%a %Y %F" /src/a /tmp/a; stat -c %F /src/link; readlink /src/link; cat /src/sub/b';
  const file = '640 1000000000 regular file\n';
  expect(await daemon.ok(['exec', 'c1', 'sh', '-c', look])).toBe(`${file}${file}symbolic link\na\nB`);
  await daemon.ok(['cp', 'c1:/src', join(dir, 'out')]);
  const out = statSync(join(dir, 'out/a'));
  expect([out.mode & 0o777, out.mtimeMs, out.uid, readlinkSync(join(dir, 'out/link'))]).toEqual([0o640, 1e12, 0, 'a']);
  await daemon.ok(['cp', '-a', 'c1:/src/.', join(dir, 'kept')]);
  expect([statSync(join(dir, 'kept/a')).uid, readFileSync(join(dir, 'kept/sub/b'), 'utf8')]).toEqual([1000, 'B\n']);
  await daemon.ok(['cp', 'c1:/src/link', join(dir, 'raw')]);
  await daemon.ok(['cp', '-L', 'c1:/src/link', join(dir, 'followed')]);
  expect([lstatSync(join(dir, 'raw')).isSymbolicLink(), readFileSync(join(dir, 'followed'), 'utf8')]).toEqual([true, 'A\n']);
  await daemon.ok(['cp', '-L', join(dir, 'src/link'), 'c1:/followed']);
  expect(await daemon.ok(['exec', 'c1', 'sh', '-c', 'test -h /followed || cat /followed'])).toBe('A');
  const { bytes } = await daemon.isula(['cp', 'c1:/src', '-']);
  expect((await runCommand(['tar', 't'], { input: Uint8Array.from(bytes) })).stdout.split('\n').toSorted().slice(1)).toEqual([
    'src/', 'src/a', 'src/link', 'src/sub/', 'src/sub/b',
  ]);
  await daemon.ok(['cp', '-', 'c1:/home'], { input: Uint8Array.from(bytes) });
  expect(await daemon.ok(['exec', 'c1', 'cat', '/home/src/sub/b'])).toBe('B');
});

test('a file replaces a directory of its name and a directory a file (guide 1.3.1.17)', async () => {
  mkdirSync(join(dir, 'over/file'), { recursive: true });
  await daemon.ok(['exec', 'c1', 'sh', '-c', 'mkdir -p /over/dir; touch /over/file; touch /over/src']);
  await daemon.ok(['cp', 'c1:/over/file', join(dir, 'over')]);
  expect(lstatSync(join(dir, 'over/file')).isFile()).toBe(true);
  await daemon.ok(['cp', join(dir, 'src'), 'c1:/over']);
  writeFileSync(join(dir, 'dir'), 'now a file');
  await daemon.ok(['cp', join(dir, 'dir'), 'c1:/over']);
  expect(await daemon.ok(['exec', 'c1', 'cat', '/over/src/a', '/over/dir'])).toBe('A\nnow a file');
});

test('says what is wrong', async () => {
  const refused = async (from: string, to: string): Promise<string> => {
    const { code, stderr } = await daemon.isula(['cp', from, to]);
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await refused('c1:/nope', dir)).toContain('Could not find the file /nope in container c1');
  expect(await refused(join(dir, 'src/a'), 'c1:/no/where')).toContain('Could not find the file /no in container c1');
  expect(await refused(join(dir, 'src/a'), 'c1:/no/')).toContain('no such directory');
  expect(await refused(join(dir, 'src'), 'c1:/etc/passwd')).toContain('cannot copy directory');
  expect(await refused(join(dir, 'absent'), 'c1:/')).toContain('no such file');
  expect(await refused('absent:/etc', dir)).toContain('No such container: absent');
  expect(await refused('c1:/a', 'c1:/b')).toContain('copying between containers is not supported');
  const bad = await daemon.isula(['cp', '-', 'c1:/tmp'], { input: 'this is no archive'.repeat(100) });
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/^Error response from daemon: .*tar/)]);
});

test('volumes are seen through; read-only ones and roots refuse', async () => {
  await daemon.ok(['volume', 'create', 'copyvol']);
  await daemon.ok(['create', '--name', 'v1', '-v', 'copyvol:/data', '-v', `${dir}/src:/bound:ro`, 'busybox', 'true']);
  await daemon.ok(['cp', join(dir, 'src/a'), 'v1:/data/in']);
  await daemon.ok(['cp', 'v1:/bound/sub', join(dir, 'bound')]);
  expect(readFileSync(join(dir, 'bound/b'), 'utf8')).toBe('B\n');
  expect((await daemon.isula(['cp', join(dir, 'src/a'), 'v1:/bound/x'])).stderr).toContain('mounted volume is marked read-only');
  await daemon.ok(['create', '--read-only', '--name', 'v2', '-v', 'copyvol:/data', 'busybox', 'true']);
  expect((await daemon.isula(['cp', join(dir, 'src/a'), 'v2:/x'])).stderr).toContain('container rootfs is marked read-only');
  await daemon.ok(['cp', join(dir, 'src/a'), 'v2:/data/again']);
  const { bytes } = await daemon.isula(['cp', 'v1:/data', '-']);
  expect((await runCommand(['tar', 't'], { input: Uint8Array.from(bytes) })).stdout).toBe('data/\ndata/again\ndata/in\n');
  expect(existsSync(join(dir, 'src/x'))).toBe(false);
});

test('paused and stopped containers are copied from and to, and stay as they are', async () => {
  await daemon.ok(['pause', 'c1']);
  await daemon.ok(['cp', join(dir, 'src/a'), 'c1:/paused']);
  expect([at(await inspect('c1'), 'State', 'Status'), await isFrozen('c1')]).toEqual(['paused', true]);
  await daemon.ok(['unpause', 'c1']);
  expect(await daemon.ok(['exec', 'c1', 'cat', '/paused'])).toBe('A');
  await daemon.ok(['stop', '-t', '0', 'c1']);
  await daemon.ok(['cp', join(dir, 'src/a'), 'c1:/stopped']);
  await daemon.ok(['cp', 'c1:/stopped', join(dir, 'stopped')]);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${String(at(await inspect('c1'), 'Id'))}/merged`);
  await daemon.ok(['start', 'c1']);
  expect(await daemon.ok(['exec', 'c1', 'cat', '/stopped'])).toBe('A');
});

test('a copy holds the container frozen; its end, a client that goes away and a kill let go', async () => {
  const tar = await tarOf('big', 4 << 20);
  {
    using copy = halfCopy('c1', tar);
    await waitUntil('the container to be frozen', () => isFrozen('c1'));
    copy.write(tar.subarray(tar.length / 2));
    copy.closeInput();
    expect(await copy.end()).toBe(0);
    await waitUntil('the container to go on', async () => !(await isFrozen('c1')));
    expect(await daemon.ok(['exec', 'c1', 'stat', '-c', '%s', '/tmp/big'])).toBe(String(4 << 20));
  }
  {
    using copy = halfCopy('c1', tar);
    await waitUntil('the container to be frozen', () => isFrozen('c1'));
    copy.kill('SIGKILL');
    await waitUntil('the container to go on', async () => !(await isFrozen('c1')));
  }
  {
    using copy = halfCopy('c1', tar);
    await waitUntil('the container to be frozen', () => isFrozen('c1'));
    await daemon.ok(['kill', 'c1']);
    expect(at(await inspect('c1'), 'State', 'Status')).toBe('exited');
    copy.closeInput();
    expect(await copy.end()).not.toBe(0);
  }
});

test('a pause or unpause during a copy holds after it', async () => {
  await daemon.ok(['start', 'c1']);
  const tar = await tarOf('big', 4 << 20);
  const during = async (act: () => Promise<unknown>): Promise<void> => {
    using copy = halfCopy('c1', tar);
    await waitUntil('the container to be frozen', () => isFrozen('c1'));
    await act();
    expect(await isFrozen('c1')).toBe(true);
    copy.write(tar.subarray(tar.length / 2));
    copy.closeInput();
    expect(await copy.end()).toBe(0);
  };
  await during(() => daemon.ok(['pause', 'c1']));
  expect([at(await inspect('c1'), 'State', 'Status'), await isFrozen('c1')]).toEqual(['paused', true]);
  await during(() => daemon.ok(['unpause', 'c1']));
  await waitUntil('the container to go on', async () => !(await isFrozen('c1')));
  expect(await daemon.ok(['exec', 'c1', 'echo', 'hi'])).toBe('hi');
});

test('a daemon that dies during a copy does not leave the container frozen', async () => {
  using copy = halfCopy('c1', await tarOf('big', 4 << 20));
  await waitUntil('the container to be frozen', () => isFrozen('c1'));
  await daemon.kill();
  expect(await copy.end()).not.toBe(0);
  await daemon.start();
  await waitUntil('the container to go on', async () => !(await isFrozen('c1')));
  expect(at(await inspect('c1'), 'State', 'Status')).toBe('running');
  expect(await daemon.ok(['exec', 'c1', 'echo', 'hi'])).toBe('hi');
});

test('a container is removed in the middle of a copy and of an export', async () => {
  await daemon.ok(['create', '--name', 'gone', 'busybox', 'true']);
  await daemon.ok(['cp', '-', 'gone:/'], { input: await tarOf('huge', 32 << 20) });
  using copy = daemon.background(['cp', 'gone:/huge', '-']);
  using exported = daemon.background(['export', 'gone']);
  await waitUntil('both to send', () => copy.stdout.length > 0 && exported.stdout.length > 0);
  await daemon.ok(['rm', 'gone']);
  await copy.end();
  await exported.end();
  expect((await daemon.isula(['cp', 'gone:/huge', '-'])).stderr).toContain('No such container');
});

test('links that a container swaps meanwhile lead nowhere outside of it', async () => {
  const secret = join(dir, 'secret');
  mkdirSync(secret);
  writeFileSync(join(secret, 'word'), 'of the host');
  await daemon.ok(['volume', 'create', 'arena']);
  // The attacker shares a volume, so that freezing the container that is copied does not stop it.
  const swap = `cd /v; mkdir -p d/in keep; echo inside >d/in/word; while :; do mv d keep/d; ln -s ${secret} d; rm d; mv keep/d d; done`;
  await daemon.ok(['run', '-d', '--name', 'attacker', '-v', 'arena:/v', 'busybox', 'sh', '-c', swap]);
  await daemon.ok(['run', '-d', '--name', 'victim', '-v', 'arena:/v', ...sleeper]);
  const absolute = `ln -s ${secret} /out; ln -s ../../../../../../..${secret} /up; ln -s /proc/1/root${secret} /proc-out`;
  await daemon.ok(['exec', 'victim', 'sh', '-c', absolute]);
  for (const link of ['/out', '/up', '/proc-out']) {
    expect((await daemon.isula(['cp', `victim:${link}/word`, join(dir, 'stolen')])).code).not.toBe(0);
    expect((await daemon.isula(['cp', join(dir, 'src/a'), `victim:${link}/planted`])).code).not.toBe(0);
  }
  const tar = await tarOf('planted', 10);
  const word = '/containers/victim/archive?path=/v/d/word';
  let seen = 0;
  for (let round = 0; round < 60; round++) {
    const [got, put, tree] = await Promise.all([
      daemon.http('GET', word),
      daemon.http('PUT', '/containers/victim/archive?path=/v/d', { body: tar, contentType: 'application/x-tar' }),
      daemon.http('GET', '/containers/victim/archive?path=/v/').catch(() => undefined),
    ]);
    for (const text of [got.text, tree?.text ?? '']) expect(text).not.toContain('of the host');
    if (put.status === 200) seen++;
  }
  expect(seen).toBeGreaterThan(0);
  expect(readdirSync(secret)).toEqual(['word']);
  await daemon.ok(['rm', '-f', 'attacker', 'victim']);
});

test('an archive cannot leave the directory it is unpacked in', async () => {
  await daemon.ok(['start', 'c1']).catch(() => undefined);
  const evil = join(dir, 'evil');
  mkdirSync(join(evil, 'tree'), { recursive: true });
  symlinkSync(dir, join(evil, 'tree/way'));
  const first = await runCommand(['tar', '-C', join(evil, 'tree'), '-c', 'way']);
  rmSync(join(evil, 'tree/way'));
  mkdirSync(join(evil, 'tree/way'));
  writeFileSync(join(evil, 'tree/way/planted-by-tar'), 'x');
  const second = await runCommand(['tar', '-C', join(evil, 'tree'), '-c', 'way/planted-by-tar']);
  const both = Buffer.concat([first.bytes.subarray(0, 512), second.bytes]);
  await daemon.isula(['cp', '-', 'c1:/tmp'], { input: Uint8Array.from(both) });
  const climb = 's,^way,../../../../../../tmp/isula-copy-escape,';
  const dots = await runCommand(['tar', '-P', '-C', join(evil, 'tree'), '--transform', climb, '-c', 'way/planted-by-tar']);
  await daemon.isula(['cp', '-', 'c1:/tmp'], { input: Uint8Array.from(dots.bytes) });
  expect([existsSync(join(dir, 'planted-by-tar')), existsSync('/tmp/isula-copy-escape')]).toEqual([false, false]);
});

test.skipIf(dockerClients().length === 0)('docker\'s command line copies too', async () => {
  await daemon.ok(['start', 'c1']).catch(() => undefined);
  for (const client of dockerClients()) {
    const out = join(dir, `docker-${dockerClients().indexOf(client)}`);
    expect((await daemon.docker(['cp', join(dir, 'src'), 'c1:/docker'], { client })).stderr).not.toContain('rror');
    expect((await daemon.docker(['cp', 'c1:/docker', out], { client })).stderr).not.toContain('rror');
    expect(readFileSync(join(out, 'sub/b'), 'utf8')).toBe('B\n');
    await daemon.ok(['exec', 'c1', 'rm', '-rf', '/docker']);
  }
});

import { afterAll, beforeEach, expect, test } from 'bun:test';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, isEngineError } from '../../base/index.ts';
import { ContainerFs, type ContainerFsOptions } from './container-fs.ts';
import { gather, inPieces, tarOf, type TestEntry } from './tar-testing.ts';

const base = mkdtempSync(join(tmpdir(), 'container-fs-'));
const root = join(base, 'root');
const volume = join(base, 'volume');
afterAll(() => rmSync(base, { recursive: true, force: true }));

beforeEach(() => {
  for (const path of [root, volume]) rmSync(path, { recursive: true, force: true });
  for (const path of ['etc', 'data', 'usr/bin']) mkdirSync(join(root, path), { recursive: true });
  mkdirSync(volume);
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(root, 'etc/hosts'), 'of the image');
  symlinkSync('/etc/passwd', join(root, 'abs'));
  symlinkSync('../../../etc', join(root, 'usr/up'));
  symlinkSync('usr/bin', join(root, 'bin'));
  symlinkSync('/no/where', join(root, 'dangling'));
  symlinkSync('loop', join(root, 'loop'));
  writeFileSync(join(volume, 'v'), 'in the volume');
});

const signal = new AbortController().signal;
const open = (options: Partial<ContainerFsOptions> = {}) => new ContainerFs({ root, mounts: [], readOnly: false, container: 'box', ...options });
const put = (fs: ContainerFs, path: string, entries: TestEntry[], options = {}) => {
  return fs.put(path, inPieces(tarOf(...entries)), { noOverwriteDirNonDir: false, ...options }, signal);
};
async function names(fs: ContainerFs, path: string): Promise<string[]> {
  const tar = await gather(fs.get(path, signal).tar);
  return spawnSync('tar', ['-tf', '-'], { input: tar }).stdout.toString().trim().split('\n');
}

test('tells what a path is, by Go and by docker', () => {
  const fs = open();
  chmodSync(join(root, 'usr/bin'), 0o1777);
  utimesSync(join(root, 'etc/passwd'), 0, 1.5);
  expect(fs.stat('/etc/passwd')).toEqual({ name: 'passwd', size: 6, mode: 0o644, mtime: '1970-01-01T00:00:01.5Z', linkTarget: '' });
  expect(fs.stat('abs')).toMatchObject({ name: 'abs', mode: 0x8000000 + 0o777, linkTarget: '/etc/passwd' });
  expect(fs.stat('/bin')).toMatchObject({ name: 'bin', linkTarget: '/usr/bin' });
  expect(fs.stat('/bin/')).toMatchObject({ name: 'bin', mode: 0x80000000 + 0x100000 + 0o777, linkTarget: '' });
  expect(fs.stat('/bin/.')).toMatchObject({ name: '.', linkTarget: '' });
  expect(fs.stat('/usr/up/passwd').name).toBe('passwd');
  expect(fs.stat('/dangling').linkTarget).toBe('/no/where');
  expect(fs.stat('/').name).toBe('/');
  expect(() => fs.stat('/nothing')).toThrow('Could not find the file /nothing in container box');
  expect(() => fs.stat('/loop/x')).toThrow('the path does not end');
  expect(() => fs.stat('/etc/passwd/x')).toThrow('not a directory');
  expect(() => fs.stat('/etc/passwd/')).toThrow('not a directory');
});

test('packs files and directories under the names that docker cp expects', async () => {
  const fs = open();
  expect(await names(fs, '/etc')).toEqual(['etc/', 'etc/hosts', 'etc/passwd']);
  expect(await names(fs, '/etc/.')).toEqual(['./', './hosts', './passwd']);
  expect(await names(fs, '/usr/up/')).toEqual(['up/', 'up/hosts', 'up/passwd']);
  expect(await names(fs, '/etc/passwd')).toEqual(['passwd']);
  expect(await names(fs, '/abs')).toEqual(['abs']);
});

test('shows volumes and bound files where the container has them', async () => {
  writeFileSync(join(base, 'hosts'), 'of the engine');
  const mounts = [
    { destination: '/data', source: volume, readOnly: false }, { destination: '/etc/hosts', source: join(base, 'hosts'), readOnly: true },
    { destination: '/data/ro', source: join(root, 'usr'), readOnly: true },
  ];
  const fs = open({ mounts });
  expect(fs.stat('/data/v').size).toBe(13);
  expect(fs.stat('/usr/up/hosts').size).toBe(13);
  expect((await gather(fs.get('/etc/hosts', signal).tar)).toString()).toContain('of the engine');
  expect(await names(fs, '/data')).toEqual(['data/', 'data/v', 'data/ro/', 'data/ro/up', 'data/ro/bin/']);
  const etc = (await gather(fs.get('/etc', signal).tar)).toString();
  expect([etc.includes('of the engine'), etc.includes('of the image')]).toEqual([true, false]);
  await put(fs, '/', [{ name: 'data/new', content: 'n' }]);
  expect(readFileSync(join(volume, 'new'), 'utf8')).toBe('n');
  await expect(put(fs, '/data/ro', [{ name: 'x' }])).rejects.toThrow('mounted volume is marked read-only');
  await expect(put(fs, '/data', [{ name: 'ro/x' }])).rejects.toThrow('mounted volume is marked read-only');
  const readOnly = open({ mounts, readOnly: true });
  await expect(put(readOnly, '/etc', [{ name: 'x' }])).rejects.toThrow('container rootfs is marked read-only');
  await put(readOnly, '/data', [{ name: 'y' }]);
});

test('unpacks inside, whatever links say', async () => {
  const fs = open();
  await put(fs, '/usr/up', [{ name: 'new', content: '1', uid: 9 }, { name: 'dir/' }, { name: 'dir/f' }]);
  expect(statSync(join(root, 'etc/new')).uid).toBe(9);
  expect(readdirSync(join(root, 'etc')).sort()).toEqual(['dir', 'hosts', 'new', 'passwd']);
  await put(fs, '/', [{ name: 'bin/tool', content: 't' }, { name: '.wh.plain' }], { owner: { uid: 12, gid: 13 } });
  expect([statSync(join(root, 'usr/bin/tool')).uid, statSync(join(root, '.wh.plain')).gid]).toEqual([12, 13]);
  await put(fs, '/', [{ name: 'abs', content: 'replaces the link' }]);
  expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('inside');
  await expect(put(fs, '/', [{ name: '../evil' }])).rejects.toThrow('leads out');
  await expect(put(fs, '/etc/passwd', [{ name: 'x' }])).rejects.toThrow('not a directory');
  await expect(put(fs, '/nothing', [{ name: 'x' }])).rejects.toThrow('Could not find');
  expect(existsSync(join(base, 'evil'))).toBe(false);
});

test('a directory and a file do not replace each other when that is refused', async () => {
  const fs = open();
  const noOverwriteDirNonDir = true;
  await expect(put(fs, '/', [{ name: 'etc', content: 'file' }], { noOverwriteDirNonDir })).rejects.toThrow('cannot overwrite directory');
  await expect(put(fs, '/etc', [{ name: 'passwd/' }], { noOverwriteDirNonDir })).rejects.toThrow('cannot overwrite non-directory');
  await put(fs, '/', [{ name: 'etc/', mode: 0o700 }, { name: 'etc/passwd', content: 'new' }], { noOverwriteDirNonDir });
  expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('new');
});

test('a container that swaps a directory for a link all the time gets nothing from outside and puts nothing there', async () => {
  const secret = join(base, 'secret');
  mkdirSync(secret, { recursive: true });
  writeFileSync(join(secret, 'passwd'), 'TOP SECRET');
  mkdirSync(join(root, 'real'));
  writeFileSync(join(root, 'real/passwd'), 'harmless');
  symlinkSync(secret, join(root, 'evil'));
  renameSync(join(root, 'real'), join(root, 'swap'));
  const script = `chdir shift; syswrite STDOUT, "up"; while (1) { rename($$_[0], $$_[1]) for ["swap","real"], ["evil","swap"], ["swap","evil"],
    ["real","swap"] }`;
  const swapper = spawn('perl', ['-e', script, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(swapper, 'close');
  await once(swapper.stdout, 'data');
  const isRace = (error: unknown) => isEngineError(error) || ['ENOENT', 'ENOTDIR', 'ELOOP', 'EEXIST'].includes(errnoOf(error) ?? '');
  // Until it was met in both states often enough.
  const met = { real: 0, evil: 0 };
  try {
    const fs = open();
    for (let round = 0; round < 5000 && (met.real < 50 || met.evil < 50); round++) {
      try {
        for (const path of ['/swap/passwd', '/swap']) expect((await gather(fs.get(path, signal).tar)).toString()).not.toContain('SECRET');
        await put(fs, '/swap', [{ name: 'planted' }, { name: 'sub/planted' }]);
        met.real++;
      } catch (error) {
        if (!isRace(error)) throw error;
        met.evil++;
      }
    }
  } finally {
    swapper.kill('SIGKILL');
    await ended;
  }
  expect(readdirSync(secret)).toEqual(['passwd']);
  expect(met.evil).toBeGreaterThan(0);
});

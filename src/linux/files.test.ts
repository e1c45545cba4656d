import { afterAll, expect, test } from 'bun:test';
import { closeSync, constants, lstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chmodAt, chownAt, getXattr, hasProjectQuota, linkAt, listXattrs, makeDevice, mkdirAt, mknodAt, mountOf, mountOverlay, parseMountInfo,
  readDirEntries, readlinkAt, readMounts, rmdirAt, S_IFCHR, S_IFIFO, S_IFMT, setProjectQuota, setXattr, statAt, statFileSystem,
  symlinkAt, umount, unlinkAt, utimesAt,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'linux-files-'));
const dir = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
afterAll(() => {
  closeSync(dir);
  rmSync(root, { recursive: true, force: true });
});

test('makes, owns, dates and finds files by directory descriptor and raw name', () => {
  const name = Buffer.from([0x66, 0xff, 0xe9]);
  mkdirAt(dir, name, 0o755);
  chownAt(dir, name, 12, 34);
  utimesAt(dir, name, -5, 999_999_999);
  const stat = statAt(dir, name);
  expect([stat.uid, stat.gid, stat.mtimeSec, stat.mtimeNsec, stat.atimeNsec]).toEqual([12, 34, -5, 999_999_999, 999_999_999]);
  expect(readDirEntries(dir)?.map((entry) => entry.name)).toEqual(['f\xff\xe9']);
  expect(readDirEntries(dir)).toBeUndefined();
  rmdirAt(dir, name);

  mknodAt(dir, 'fifo', S_IFIFO | 0o600);
  mknodAt(dir, 'dev', S_IFCHR | 0o600, makeDevice(300, 70_000));
  const device = statAt(dir, 'dev');
  expect([device.mode & S_IFMT, device.rdevMajor, device.rdevMinor]).toEqual([S_IFCHR, 300, 70_000]);
  symlinkAt('no/where', dir, 'link');
  chownAt(dir, 'link', 7, 8);
  expect(statAt(dir, 'link').uid).toBe(7);
  expect(readlinkAt(dir, 'link').toString()).toBe('no/where');
  linkAt(dir, 'link', dir, 'link2');
  expect(statAt(dir, 'link2').nlink).toBe(2);
  chmodAt(dir, 'fifo', 0o4711);
  expect(lstatSync(join(root, 'fifo')).mode & 0o7777).toBe(0o4711);
  for (const each of ['fifo', 'dev', 'link', 'link2']) unlinkAt(dir, each);
});

test('keeps extended attributes, of links too', () => {
  const file = join(root, 'x');
  writeFileSync(file, '');
  setXattr(file, 'trusted.empty', new Uint8Array());
  setXattr(file, 'trusted.bytes', new Uint8Array([0, 255, 1]));
  expect(listXattrs(file).filter((name) => name.startsWith('trusted.'))).toEqual(['trusted.bytes', 'trusted.empty']);
  expect(getXattr(file, 'trusted.bytes')).toEqual(Buffer.from([0, 255, 1]));
  expect(getXattr(file, 'trusted.empty')?.length).toBe(0);
  expect(getXattr(file, 'trusted.none')).toBeUndefined();
  expect(() => getXattr(join(root, 'nothing'), 'trusted.x')).toThrow('no such file');
});

test('reads mounts and file systems', () => {
  const [entry] = parseMountInfo('36 35 98:0 /a\\040b /mnt\\134x rw,noatime master:1 shared:2 - ext3 /dev/r\\011t rw,errors=continue\nnonsense\n');
  expect(entry).toEqual({
    id: 36, parentId: 35, device: '98:0', root: '/a b', mountPoint: '/mnt\\x', options: ['rw', 'noatime'], propagation: ['master:1', 'shared:2'],
    fsType: 'ext3', source: '/dev/r\tt', superOptions: ['rw', 'errors=continue'],
  });
  expect(mountOf('/proc/self', readMounts())?.fsType).toBe('proc');
  const [ours, nodes] = [statFileSystem(root), statfsSync(root)];
  expect(ours.totalBytes).toBe(nodes.blocks * nodes.bsize);
  expect(statFileSystem('/proc').name).toBe('0x9fa0');
});

test('refuses a quota where there is none', () => {
  if (hasProjectQuota(root)) return;
  expect(() => setProjectQuota(root, 5, 1 << 20)).toThrow('has no project quota');
});

test('mounts an overlay of few layers, of hundreds, and of paths too long for fsconfig', () => {
  const cases: [number, string][] = [[1, 'few ,:'], [300, 'many ,:'], [100, 'l'.repeat(200)]];
  for (const [count, name] of cases) {
    const base = join(root, name);
    const lowers = Array.from({ length: count }, (_, index) => join(base, 'layers', `${index}`.padStart(64, '0'), 'diff'));
    const [upper, work, target] = [join(base, 'upper'), join(base, 'work'), join(base, 'merged')];
    for (const each of [...lowers, upper, work, target]) mkdirSync(each, { recursive: true });
    for (const [index, lower] of lowers.entries()) writeFileSync(join(lower, 'top'), String(index));
    writeFileSync(join(lowers.at(-1) ?? '', 'bottom'), 'b');
    mountOverlay({ lowers, upper, work, target, options: ['index=off', 'metacopy=off'] });
    try {
      expect(readFileSync(join(target, 'top'), 'utf8')).toBe('0');
      expect(readFileSync(join(target, 'bottom'), 'utf8')).toBe('b');
      writeFileSync(join(target, 'top'), 'new');
      expect(readFileSync(join(upper, 'top'), 'utf8')).toBe('new');
    } finally {
      umount(target);
    }
  }
});

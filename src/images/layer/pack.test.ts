import { afterAll, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync,
  unlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AT_FDCWD, chownAt, getXattr, makeDevice, mknodAt, mountOverlay, S_IFCHR, setXattr, umountAll } from '../../linux/index.ts';
import { diffTree } from './diff.ts';
import { extractLayer } from './extract.ts';
import { packLayer, packTree } from './pack.ts';
import { gather, inPieces } from './tar-testing.ts';

const base = mkdtempSync(join(tmpdir(), 'pack-'));
const merged = join(base, 'merged');
afterAll(() => {
  umountAll(merged);
  rmSync(base, { recursive: true, force: true });
});

const signal = new AbortController().signal;
const limits = { bytesMax: 1 << 30, entriesMax: 10_000 };
const dir = (name: string) => {
  const path = join(base, name);
  mkdirSync(path, { recursive: true });
  return path;
};
const names = (tar: Buffer) => spawnSync('tar', ['-tf', '-'], { input: tar }).stdout.toString().trim().split('\n');

test('what was packed unpacks to the same, and GNU tar reads it too', async () => {
  const source = dir('source');
  const long = join('l'.repeat(100), 'o'.repeat(100), 'n'.repeat(200));
  mkdirSync(join(source, long), { recursive: true });
  writeFileSync(join(source, long, 'g'.repeat(255)), 'long');
  writeFileSync(join(source, 'big'), Buffer.alloc(1_000_003, 'x'));
  chmodSync(join(source, 'big'), 0o4711);
  chownAt(AT_FDCWD, join(source, 'big'), 3_000_000_000, 5);
  chmodSync(join(source, 'big'), 0o4711);
  linkSync(join(source, 'big'), join(source, 'hard'));
  symlinkSync('t'.repeat(300), join(source, 'soft'));
  mknodAt(AT_FDCWD, join(source, 'dev'), S_IFCHR | 0o640, makeDevice(10, 200));
  setXattr(join(source, 'big'), 'user.a', Buffer.from('x\n\0y'));
  setXattr(join(source, 'big'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  writeFileSync(Buffer.from(`${source}/raw\xff\xfe`, 'latin1'), 'raw');
  utimesSync(join(source, 'big'), 5, 1234);
  const tar = await gather(packLayer(source, { form: 'oci-layer', signal }));
  expect(spawnSync('tar', ['-tf', '-'], { input: tar }).status).toBe(0);

  const target = dir('target');
  await extractLayer(inPieces(tar, 65536), target, { limits, form: 'oci-layer', signal });
  const big = statSync(join(target, 'big'));
  expect([big.mode & 0o7777, big.uid, big.gid, big.nlink, big.mtimeMs, big.size]).toEqual([0o4711, 3_000_000_000, 5, 2, 1_234_000, 1_000_003]);
  expect(getXattr(join(target, 'big'), 'user.a')?.toString()).toBe('x\n\0y');
  expect(getXattr(join(target, 'big'), 'security.capability')?.length).toBe(20);
  expect(readlinkSync(join(target, 'soft'))).toBe('t'.repeat(300));
  expect(lstatSync(join(target, 'dev')).rdev).toBe(lstatSync(join(source, 'dev')).rdev);
  expect(readFileSync(Buffer.from(`${target}/raw\xff\xfe`, 'latin1'), 'utf8')).toBe('raw');
  expect(readFileSync(join(target, long, 'g'.repeat(255)), 'utf8')).toBe('long');
  expect((await gather(packLayer(target, { form: 'oci-layer', signal }))).equals(tar)).toBe(true);
});

test('a container becomes a layer that changes an image in the same way, and its diff says what it did', async () => {
  const [lower, upper, work] = [dir('lower'), dir('upper'), dir('work')];
  mkdirSync(merged);
  for (const path of ['etc/a', 'etc/b', 'gone/x', 'remade/old', 'remade/kept', 'untouched/f', 'moved/f']) {
    mkdirSync(join(lower, path, '..'), { recursive: true });
    writeFileSync(join(lower, path), `old ${path}`);
  }
  mountOverlay({ lowers: [lower], upper, work, target: merged, options: ['redirect_dir=off', 'metacopy=off', 'index=off'] });
  writeFileSync(join(merged, 'etc/a'), 'changed');
  unlinkSync(join(merged, 'etc/b'));
  rmSync(join(merged, 'gone'), { recursive: true });
  rmSync(join(merged, 'remade'), { recursive: true });
  mkdirSync(join(merged, 'remade'));
  writeFileSync(join(merged, 'remade/kept'), 'again');
  mkdirSync(join(merged, 'new/deep'), { recursive: true });
  writeFileSync(join(merged, 'new/deep/f'), 'n');
  writeFileSync(join(merged, 'temporary'), '');
  unlinkSync(join(merged, 'temporary'));
  chmodSync(join(merged, 'untouched'), 0o700);
  try {
    renameSync(join(merged, 'moved/f'), join(merged, 'moved/g'));
    expect(await diffTree(upper, [lower])).toEqual([
      { Path: '/etc', Kind: 0 }, { Path: '/etc/a', Kind: 0 }, { Path: '/etc/b', Kind: 2 }, { Path: '/gone', Kind: 2 },
      { Path: '/moved', Kind: 0 }, { Path: '/moved/f', Kind: 2 }, { Path: '/moved/g', Kind: 1 },
      { Path: '/new', Kind: 1 }, { Path: '/new/deep', Kind: 1 }, { Path: '/new/deep/f', Kind: 1 },
      { Path: '/remade', Kind: 0 }, { Path: '/remade/kept', Kind: 0 }, { Path: '/remade/old', Kind: 2 }, { Path: '/untouched', Kind: 0 },
    ]);
    const tar = await gather(packLayer(upper, { form: 'oci-layer', signal }));
    const layer = dir('layer');
    await extractLayer(inPieces(tar), layer, { limits, form: 'oci-layer', signal, parents: [lower] });
    const before = await gather(packTree(merged, undefined, signal));
    umountAll(merged);
    const [upper2, work2] = [dir('upper2'), dir('work2')];
    mountOverlay({ lowers: [layer, lower], upper: upper2, work: work2, target: merged, options: [] });
    const after = await gather(packTree(merged, undefined, signal));
    expect(names(after)).toEqual(names(before));
    expect(createHash('sha256').update(after).digest('hex')).toBe(createHash('sha256').update(before).digest('hex'));
    expect(names(tar)).toContain('.wh.gone');
    expect(names(tar)).toContain('etc/.wh.b');
    expect(names(tar)).toContain('remade/.wh..wh..opq');
    expect(existsSync(join(merged, 'gone'))).toBe(false);
  } finally {
    umountAll(merged);
  }
});

test('an image of two layers is merged before it is compared', async () => {
  const [bottom, middle, upper] = [dir('d0'), dir('d1'), dir('d2')];
  mkdirSync(join(bottom, 'd/e'), { recursive: true });
  writeFileSync(join(bottom, 'd/e/low'), '');
  writeFileSync(join(bottom, 'x'), '');
  mknodAt(AT_FDCWD, join(middle, 'x'), S_IFCHR, 0n);
  mkdirSync(join(middle, 'd'));
  setXattr(join(middle, 'd'), 'trusted.overlay.opaque', Buffer.from('y'));
  mkdirSync(join(upper, 'd/e'), { recursive: true });
  writeFileSync(join(upper, 'd/e/low'), '');
  writeFileSync(join(upper, 'x'), '');
  const kinds = Object.fromEntries((await diffTree(upper, [middle, bottom])).map(({ Path, Kind }) => [Path, Kind]));
  expect(kinds).toEqual({ '/d': 0, '/d/e': 1, '/d/e/low': 1, '/x': 1 });
});

test('stops when it is told to', async () => {
  const source = dir('stop');
  writeFileSync(join(source, 'big'), Buffer.alloc(3_000_000));
  const abort = new AbortController();
  const stream = packLayer(source, { form: 'plain', signal: abort.signal });
  await expect((async () => {
    for await (const _ of stream) abort.abort(new Error('enough'));
  })()).rejects.toThrow('enough');
});

import { afterAll, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import {
  closeSync, ftruncateSync, linkSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isEngineError } from '../../base/index.ts';
import { extractLayer } from './extract.ts';
import { targetPath } from './paths.ts';
import type { TarEntry } from './tar-format.ts';
import { paxTime } from './tar-pax.ts';
import { TarReader } from './tar-reader.ts';
import { inPieces, tarOf } from './tar-testing.ts';

const base = mkdtempSync(join(tmpdir(), 'tar-reader-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const signal = new AbortController().signal;

/** All entries, with their stored bytes, of a tar that is fed in pieces of a size. */
function readAll(tar: Buffer, pieceBytes: number): { entry: TarEntry; body: Buffer }[] {
  const reader = new TarReader();
  const all: { entry: TarEntry; parts: Buffer[] }[] = [];
  const drain = () => {
    for (;;) {
      for (let part = reader.takeBody(); part; part = reader.takeBody()) all.at(-1)?.parts.push(Buffer.from(part));
      if (reader.bodyLeft > 0) return;
      const step = reader.next();
      if (step === 'more' || step === 'end') return;
      all.push({ entry: step, parts: [] });
    }
  };
  for (let at = 0; at < tar.length; at += pieceBytes) {
    reader.feed(tar.subarray(at, at + pieceBytes));
    drain();
  }
  reader.finish();
  return all.map(({ entry, parts }) => ({ entry, body: Buffer.concat(parts) }));
}

function makeTree(): string {
  const tree = join(base, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'sub/file'), 'some content');
  linkSync(join(tree, 'sub/file'), join(tree, 'sub/hard'));
  symlinkSync('file', join(tree, 'sub/soft'));
  writeFileSync(join(tree, 'empty'), '');
  return tree;
}

test.each(['v7', 'ustar', 'gnu', 'oldgnu', 'pax'])('reads GNU tar in %s form, however it is cut', (format) => {
  const tree = makeTree();
  const long = format === 'v7' ? 'short' : `${'d'.repeat(90)}/${'n'.repeat(90)}`;
  mkdirSync(join(tree, 'with', long, '..'), { recursive: true });
  writeFileSync(join(tree, 'with', long), 'long');
  const owner = ['--mtime=@1234567890.5', '--owner=:70', '--group=:80'];
  const made = spawnSync('tar', [`--format=${format}`, '--sort=name', ...owner, '-C', tree, '-cf', '-', '.']);
  expect(made.status).toBe(0);
  const whole = readAll(made.stdout, made.stdout.length);
  const names = whole.map(({ entry }) => targetPath(entry.name));
  expect(names).toContain(`with/${long}`);
  const find = (name: string) => whole.find(({ entry }) => targetPath(entry.name) === name);
  expect(find('sub/file')?.body.toString()).toBe('some content');
  expect(find('sub/hard')?.entry).toMatchObject({ type: 'link', linkName: './sub/file', size: 0 });
  expect(find('sub/soft')?.entry).toMatchObject({ type: 'symlink', linkName: 'file' });
  expect(find('sub')?.entry).toMatchObject({ type: 'dir', uid: 70, gid: 80, mtimeSec: 1234567890, mtimeNsec: format === 'pax' ? 500_000_000 : 0 });
  for (const size of [1, 511, 513, 10_000]) expect(readAll(made.stdout, size)).toEqual(whole);
  rmSync(tree, { recursive: true });
});

test.each([['gnu', '0.0'], ['pax', '0.0'], ['pax', '0.1'], ['pax', '1.0']])('unpacks sparse files of %s %s', async (format, version) => {
  const source = join(base, `sparse-${format}-${version}`);
  mkdirSync(source);
  const fd = openSync(join(source, 'sparse'), 'w');
  // More parts than one header holds.
  for (let index = 0; index < 60; index++) writeSync(fd, Buffer.alloc(4096, index + 1), 0, 4096, index * 100_000 - (index * 100_000) % 4096);
  ftruncateSync(fd, 10_000_000);
  closeSync(fd);
  const form = [`--format=${format}`, `--sparse-version=${version}`];
  const made = spawnSync('tar', [...form, '-S', '-C', source, '-cf', '-', 'sparse'], { maxBuffer: 1 << 25 });
  expect(made.stdout.length).toBeLessThan(1_000_000);
  const target = `${source}-out`;
  mkdirSync(target);
  const limits = { bytesMax: 1 << 25, entriesMax: 10 };
  const { bytes } = await extractLayer(inPieces(made.stdout, 3000), target, { limits, form: 'rootfs', signal });
  expect(bytes).toBe(10_000_000);
  expect(readFileSync(join(target, 'sparse')).equals(readFileSync(join(source, 'sparse')))).toBe(true);
  expect(statSync(join(target, 'sparse')).blocks).toBeLessThan(2000);
});

test('reads base-256 numbers and times before 1970', () => {
  const tar = tarOf({ name: 'a', mtimeSec: -5, uid: 3_000_000_000 });
  expect(readAll(tar, 700)[0]?.entry).toMatchObject({ mtimeSec: -5, uid: 3_000_000_000 });
  const header = Buffer.from(tarOf({ name: 'b' }).subarray(0, 512));
  header.fill(0, 108, 116);
  header.writeUInt8(0x80, 108);
  header.writeUInt32BE(4_000_000_000, 112);
  header.fill(0xff, 136, 147);
  header.writeUInt8(0xfe, 147);
  header.write('        ', 148, 'latin1');
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  expect(readAll(header, 512)[0]?.entry).toMatchObject({ uid: 4_000_000_000, mtimeSec: -2 });
});

test('reads pax times', () => {
  expect([paxTime('1.5'), paxTime('-1.25'), paxTime('-3'), paxTime('7.1234567891')]).toEqual([
    { sec: 1, nsec: 500_000_000 }, { sec: -2, nsec: 750_000_000 }, { sec: -3, nsec: 0 }, { sec: 7, nsec: 123_456_789 },
  ]);
  expect(() => paxTime('1e5')).toThrow('not a number');
});

test('no path leads out of the target', () => {
  expect(['./a//b/.', '/a/b', 'a/../b', '.', '', 'a..b/c...', '..a'].map(targetPath)).toEqual(['a/b', 'a/b', 'b', '', '', 'a..b/c...', '..a']);
  for (const name of ['..', 'a/../..', '/..', './../x']) expect(() => targetPath(name)).toThrow('leads out');
});

/** A small deterministic generator (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function fixChecksums(tar: Buffer): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const header = tar.subarray(at, at + 512);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.write('        ', 148, 'latin1');
    header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}

test('changed archives are refused or read, and never do harm', async () => {
  const outside = join(base, 'fuzz');
  mkdirSync(outside);
  const original = tarOf(
    { name: 'd/' }, { name: 'd/f', content: 'x'.repeat(600), xattrs: new Map([['user.x', Buffer.from('y')]]) },
    { name: 'l', type: 'symlink', linkName: '../../d' },
    { name: 'h', type: 'link', linkName: 'd/f' }, { name: 'd/.wh.z' }, { name: `${'p'.repeat(150)}/q`, content: 'z' }, { name: 'l/in', content: '1' },
  );
  const next = random(20_240_607);
  const interesting = ['..', '/', '\0', '7777777', '-1', '99999999999', ' ', '.wh.', '=', '\n', '\xff'];
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const tar = Buffer.from(original);
    for (let changes = 1 + Math.floor(next() * 6); changes > 0; changes--) {
      const at = Math.floor(next() * tar.length);
      if (next() < 0.5) tar[at] = Math.floor(next() * 256);
      else tar.write(interesting[Math.floor(next() * interesting.length)] ?? '', at, 'latin1');
    }
    if (next() < 0.8) fixChecksums(tar);
    const cut = next() < 0.2 ? tar.subarray(0, Math.floor(next() * tar.length)) : tar;
    const target = join(outside, 'target');
    mkdirSync(target);
    try {
      const limits = { bytesMax: 100_000, entriesMax: 50 };
      await extractLayer(inPieces(cut, 1 + Math.floor(next() * 2000)), target, { limits, form: 'oci-layer', signal });
    } catch (error) {
      if (!isEngineError(error, 'invalidArgument') && !isEngineError(error, 'tooLarge')) throw error;
      refused++;
    }
    expect(readdirSync(outside)).toEqual(['target']);
    rmSync(target, { recursive: true });
  }
  expect(refused).toBeGreaterThan(50);
  expect(refused).toBeLessThan(300);
});

import { afterAll, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isEngineError } from '../../base/index.ts';
import { AT_FDCWD, getXattr, setXattr, statAt } from '../../linux/index.ts';
import { extractLayer, type ExtractOptions } from './extract.ts';
import { isWhiteout } from './overlay-form.ts';
import { inPieces, tarOf, type TestEntry } from './tar-testing.ts';

const base = mkdtempSync(join(tmpdir(), 'extract-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

const signal = new AbortController().signal;
const limits = { bytesMax: 1 << 30, entriesMax: 10_000 };

async function unpack(entries: TestEntry[] | Buffer, options: Partial<ExtractOptions> = {}): Promise<string> {
  const target = join(base, `t${count++}`);
  mkdirSync(target);
  await unpackInto(target, entries, options);
  return target;
}

function unpackInto(target: string, entries: TestEntry[] | Buffer, options: Partial<ExtractOptions> = {}) {
  const bytes = Buffer.isBuffer(entries) ? entries : tarOf(...entries);
  return extractLayer(inPieces(bytes), target, { limits, form: 'oci-layer', signal, ...options });
}

const opaque = (path: string) => getXattr(path, 'trusted.overlay.opaque')?.toString();
const whiteout = (path: string) => existsSync(path) && isWhiteout(statAt(AT_FDCWD, path));

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isEngineError(error)) return error.code;
    throw error;
  }
  return 'none';
}

test('unpacks every kind of file with its attributes', async () => {
  const xattrs = new Map([['user.note', Buffer.from('hi\0there')], ['trusted.overlay.opaque', Buffer.from('y')]]);
  const target = await unpack([
    { name: 'dir/', mode: 0o2750, uid: 5, gid: 6, mtimeSec: 1000 },
    { name: 'dir/file', content: 'content', mode: 0o4755, uid: 70_000, gid: 80_000, xattrs },
    { name: 'dir/hard', type: 'link', linkName: './dir/file' },
    { name: 'dir/soft', type: 'symlink', linkName: '/etc/passwd', uid: 9 },
    { name: 'dir/fifo', type: 'fifo', mode: 0o622 },
    { name: 'dir/null', type: 'char', deviceMajor: 1, deviceMinor: 3, mode: 0o666 },
    { name: 'implied/by/name', content: '' },
    { name: `long/${'x'.repeat(200)}/${'y'.repeat(250)}`, content: 'deep' },
  ]);
  const at = (name: string) => join(target, name);
  const dir = statSync(at('dir'));
  expect([dir.mode & 0o7777, dir.uid, dir.gid, dir.mtimeMs]).toEqual([0o2750, 5, 6, 1_000_000]);
  const file = statSync(at('dir/file'));
  expect([file.mode & 0o7777, file.uid, file.gid, file.nlink, file.mtimeMs]).toEqual([0o4755, 70_000, 80_000, 2, 1_500_000_000_000]);
  expect(getXattr(at('dir/file'), 'user.note')?.toString()).toBe('hi\0there');
  expect(getXattr(at('dir/file'), 'trusted.overlay.opaque')).toBeUndefined();
  expect(readFileSync(at('dir/hard'), 'utf8')).toBe('content');
  expect([readlinkSync(at('dir/soft')), lstatSync(at('dir/soft')).uid]).toEqual(['/etc/passwd', 9]);
  expect(lstatSync(at('dir/fifo')).isFIFO()).toBe(true);
  const device = statAt(AT_FDCWD, at('dir/null'));
  expect([device.rdevMajor, device.rdevMinor, device.mode & 0o777]).toEqual([1, 3, 0o666]);
  expect(statSync(at('implied/by')).mode & 0o7777).toBe(0o755);
  expect(readFileSync(at(`long/${'x'.repeat(200)}/${'y'.repeat(250)}`), 'utf8')).toBe('deep');
});

test('tells the sum, the number and the digest of what it read', async () => {
  const target = join(base, 'sums');
  mkdirSync(target);
  const big = Buffer.alloc(700_000, 'b');
  const bytes = tarOf({ name: 'a', content: '123' }, { name: 'big', content: big });
  const trailing = Buffer.concat([bytes, Buffer.from('what follows is part of the digest')]);
  const result = await unpackInto(target, trailing);
  expect(result.diffId.slice(7)).toBe(createHash('sha256').update(trailing).digest('hex'));
  expect([result.bytes, result.entries]).toEqual([700_003, 2]);
  expect(readFileSync(join(target, 'big')).equals(big)).toBe(true);
});

test('whiteouts become those of overlay', async () => {
  const target = await unpack([
    { name: 'd/.wh.gone' }, { name: 'o/' }, { name: 'o/.wh..wh..opq' }, { name: 'o/new', content: '1' }, { name: '.wh..wh.plnk/x' },
    { name: 'kept', content: 'k' }, { name: '.wh.kept' }, { name: 'dir/f' }, { name: '.wh.dir' },
    { name: '.wh.back' }, { name: 'back/' }, { name: '.wh.again' }, { name: 'again/x' },
  ]);
  expect(whiteout(join(target, 'd/gone'))).toBe(true);
  expect([opaque(join(target, 'o')), opaque(join(target, 'd'))]).toEqual(['y', undefined]);
  expect(readFileSync(join(target, 'kept'), 'utf8')).toBe('k');
  expect([opaque(join(target, 'dir')), opaque(join(target, 'back')), opaque(join(target, 'again'))]).toEqual(['y', 'y', 'y']);
  expect(readdirSync(target).some((name) => name.startsWith('.wh.'))).toBe(false);
  const plain = await unpack([{ name: '.wh.x' }], { form: 'rootfs' });
  expect(readdirSync(plain)).toEqual(['.wh.x']);
});

test('a mark that empties the root hides what the layers below have there', async () => {
  const lower = await unpack([{ name: 'a' }, { name: 'b/c' }]);
  const target = await unpack([{ name: '.wh..wh..opq' }, { name: 'b/', mode: 0o700 }], { parents: [lower] });
  expect(whiteout(join(target, 'a'))).toBe(true);
  expect(opaque(join(target, 'b'))).toBe('y');
});

test('directories that the archive does not name look as in the layer below', async () => {
  const lower = await unpack([{ name: 'home/', mode: 0o711, uid: 3 }, { name: 'home/u/', mode: 0o1777, uid: 4, gid: 5, mtimeSec: 77 }]);
  setXattr(join(lower, 'home/u'), 'user.k', Buffer.from('v'));
  const target = await unpack([{ name: 'home/u/file' }], { parents: [lower] });
  const [home, user] = [statSync(join(target, 'home')), statSync(join(target, 'home/u'))];
  expect([home.mode & 0o7777, home.uid, user.mode & 0o7777, user.uid, user.gid, user.mtimeMs]).toEqual([0o711, 3, 0o1777, 4, 5, 77_000]);
  expect(getXattr(join(target, 'home/u'), 'user.k')?.toString()).toBe('v');
});

test('later entries replace earlier ones', async () => {
  const target = await unpack([
    { name: 'x', content: 'old' }, { name: 'x', content: 'new!' }, { name: 'd/a/b/c' }, { name: 'd', content: 'now a file' },
    { name: 'f' }, { name: 'f/' }, { name: 'f/in' }, { name: 'real/' }, { name: 'link', type: 'symlink', linkName: 'real' },
    { name: 'link/through' }, { name: 'link/' }, { name: 'link/own' }, { name: 'self' }, { name: 'self', type: 'link', linkName: 'self' },
  ]);
  expect(readFileSync(join(target, 'x'), 'utf8')).toBe('new!');
  expect(readFileSync(join(target, 'd'), 'utf8')).toBe('now a file');
  expect(readdirSync(join(target, 'f'))).toEqual(['in']);
  expect(readdirSync(join(target, 'real'))).toEqual(['through']);
  expect(readdirSync(join(target, 'link'))).toEqual(['own']);
  expect(existsSync(join(target, 'self'))).toBe(true);
});

test('nothing is written outside of the target', async () => {
  const outside = join(base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'victim'), 'safe');
  const deep = '../'.repeat(20);
  const attempts: TestEntry[][] = [
    [{ name: `${deep}${outside}/new` }],
    [{ name: '../new' }], [{ name: 'a/../../new' }], [{ name: '..' }], [{ name: '../', type: 'dir' }],
    [{ name: 'l', type: 'symlink', linkName: outside }, { name: 'l/new' }],
    [{ name: 'l', type: 'symlink', linkName: `${deep}${outside}` }, { name: 'l/new' }],
    [{ name: 'l', type: 'symlink', linkName: '..' }, { name: 'l/new' }],
    [{ name: 'a', type: 'symlink', linkName: 'b' }, { name: 'b', type: 'symlink', linkName: outside }, { name: 'a/new' }],
    [{ name: 'h', type: 'link', linkName: `${outside}/victim` }, { name: 'h', content: 'evil' }],
    [{ name: 'l', type: 'symlink', linkName: outside }, { name: 'h', type: 'link', linkName: 'l/victim' }],
    [{ name: 'h', type: 'link', linkName: '../outside/victim' }],
    [{ name: 'l', type: 'symlink', linkName: `${outside}/victim` }, { name: 'l', content: 'evil' }],
    [{ name: 'l', type: 'symlink', linkName: `${outside}/victim` }, { name: 'h', type: 'link', linkName: 'l' }, { name: 'h', content: 'evil' }],
    [{ name: 'l', type: 'symlink', linkName: outside }, { name: 'l/.wh.victim' }],
    [{ name: 'l', type: 'symlink', linkName: outside }, { name: 'l/.wh..wh..opq' }],
    [{ name: '.wh...' }], [{ name: '.wh..' }], [{ name: '.wh.' }], [{ name: '../.wh.outside' }],
    [{ name: 'd/' }, { name: 'd', type: 'symlink', linkName: outside }, { name: 'd/new' }],
  ];
  for (const entries of attempts) {
    try {
      await unpack(entries);
    } catch (error) {
      if (!isEngineError(error, 'invalidArgument')) throw error;
    }
    expect(readdirSync(outside)).toEqual(['victim']);
    expect(readFileSync(join(outside, 'victim'), 'utf8')).toBe('safe');
    expect(statSync(join(outside, 'victim')).nlink).toBe(1);
    expect(opaque(outside)).toBeUndefined();
    expect(readdirSync(base).filter((name) => !/^(?:t[0-9]+|outside|sums)$/.test(name))).toEqual([]);
  }
});

test('refuses hostile and broken archives by their kind', async () => {
  expect(await codeOf(unpack([{ name: '../x' }]))).toBe('invalidArgument');
  expect(await codeOf(unpack([{ name: 'h', type: 'link', linkName: 'nowhere' }]))).toBe('invalidArgument');
  expect(await codeOf(unpack([{ name: 'f' }, { name: 'f/x' }]))).toBe('invalidArgument');
  expect(await codeOf(unpack([{ name: 'x'.repeat(256) }]))).toBe('tooLarge');
  expect(await codeOf(unpack([{ name: 'd/'.repeat(1500) }]))).toBe('tooLarge');
  expect(await codeOf(unpack([{ name: 'a', content: '12345' }], { limits: { bytesMax: 4, entriesMax: 9 } }))).toBe('tooLarge');
  expect(await codeOf(unpack([{ name: 'a' }, { name: 'b' }], { limits: { bytesMax: 9, entriesMax: 1 } }))).toBe('tooLarge');
  expect(await codeOf(unpack(Buffer.from('this is no archive at all'.repeat(100))))).toBe('invalidArgument');
  const whole = tarOf({ name: 'a', content: 'x'.repeat(2000) });
  expect(await codeOf(unpack(whole.subarray(0, 1500)))).toBe('invalidArgument');
  expect(await codeOf(unpack(Buffer.alloc(0)))).toBe('none');
});

test('stops when it is told to', async () => {
  const abort = new AbortController();
  const target = join(base, `t${count++}`);
  mkdirSync(target);
  const stream = async function* () {
    yield tarOf({ name: 'a', content: 'x' }).subarray(0, 512);
    abort.abort(new Error('enough'));
    yield Buffer.alloc(512);
  };
  await expect(extractLayer(stream(), target, { limits, form: 'oci-layer', signal: abort.signal })).rejects.toThrow('enough');
});

test('a link in a layer leads to where it would in the container', async () => {
  const target = await unpack([{ name: 'usr/lib/' }, { name: 'lib', type: 'symlink', linkName: '/usr/lib' }, { name: 'lib/x', content: 'in' }]);
  expect(readFileSync(join(target, 'usr/lib/x'), 'utf8')).toBe('in');
  symlinkSync('nowhere', join(target, 'dangling'));
  expect(await codeOf(unpackInto(target, [{ name: 'dangling/x' }]))).toBe('invalidArgument');
});

import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isEngineError } from '../../base/index.ts';
import { decompress, detectCompression, gzipped } from './compression.ts';
import { gather, inPieces } from './tar-testing.ts';

const signal = new AbortController().signal;
const text = Buffer.concat([Buffer.alloc(300_000, 'compressible '), randomBytes(100_000)]);
const tool = (name: string, input: Buffer) => spawnSync(name, ['-c'], { input, maxBuffer: 1 << 24 }).stdout;

const forms: [string, Buffer][] = [
  ['none', text], ['gzip', gzipSync(text)], ['zstd', zstdCompressSync(text)], ['xz', tool('xz', text)], ['bzip2', tool('bzip2', text)],
];

async function codeOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  try {
    await gather(stream);
  } catch (error) {
    if (isEngineError(error)) return error.code;
    throw error;
  }
  return 'none';
}

test.each(forms)('uncompresses %s, told by its first bytes', async (name, bytes) => {
  expect<string>(detectCompression(bytes)).toBe(name);
  for (const size of [97, 65536]) {
    expect((await gather(decompress(inPieces(bytes, size), { limitBytes: 1 << 20, signal }))).equals(text)).toBe(true);
  }
});

test('tells the form when the first bytes come one by one, and takes an empty stream', async () => {
  const bytes = gzipSync(Buffer.from('abc'));
  expect((await gather(decompress(inPieces(bytes, 1), { limitBytes: 100, signal }))).toString()).toBe('abc');
  expect((await gather(decompress(inPieces(Buffer.alloc(0)), { limitBytes: 100, signal }))).length).toBe(0);
  expect((await gather(decompress(inPieces(Buffer.from('ab')), { limitBytes: 100, signal }))).toString()).toBe('ab');
});

test.each(forms.slice(1))('broken and cut %s data is refused', async (_, bytes) => {
  const broken = Buffer.from(bytes);
  broken.fill(0xff, 12, 60);
  expect(await codeOf(decompress(inPieces(broken), { limitBytes: 1 << 20, signal }))).toBe('invalidArgument');
  expect(await codeOf(decompress(inPieces(bytes.subarray(0, bytes.length - 3000)), { limitBytes: 1 << 20, signal }))).toBe('invalidArgument');
});

test('takes zstd frames one after the other, skippable ones too, and nothing else', async () => {
  const [a, b] = [zstdCompressSync(Buffer.from('hello ')), zstdCompressSync(Buffer.from('world'))];
  const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const open = (...parts: Buffer[]) => decompress(inPieces(Buffer.concat(parts), 1), { limitBytes: 100, signal });
  expect((await gather(open(a, skippable, b))).toString()).toBe('hello world');
  expect(await codeOf(open(a, Buffer.from('garbage')))).toBe('invalidArgument');
  expect(await codeOf(open(a, b.subarray(0, 6)))).toBe('invalidArgument');
});

test.each(forms)('a bomb of %s stops at the limit', async (_, bytes) => {
  expect(await codeOf(decompress(inPieces(bytes), { limitBytes: 1000, signal }))).toBe('tooLarge');
});

test("the source's own error comes through, and so does the signal's", async () => {
  const failing = async function* () {
    yield gzipSync(text).subarray(0, 5000);
    throw new Error('the network went away');
  };
  await expect(gather(decompress(failing(), { limitBytes: 1 << 20, signal }))).rejects.toThrow('the network went away');
  const abort = new AbortController();
  const aborting = async function* () {
    yield gzipSync(text).subarray(0, 5000);
    abort.abort(new Error('enough'));
    yield Buffer.alloc(10);
  };
  await expect(gather(decompress(aborting(), { limitBytes: 1 << 20, signal: abort.signal }))).rejects.toThrow();
});

test('compresses with gzip', async () => {
  const out = gzipped(Readable.from(inPieces(text)));
  expect((await gather(decompress(out, { limitBytes: 1 << 20, signal }))).equals(text)).toBe(true);
  const failing = Readable.from((async function* () {
    yield text;
    throw new Error('no more');
  })());
  await expect(gather(gzipped(failing))).rejects.toThrow('no more');
});

import { expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readInTurn } from './blob-reader.ts';

async function withFile(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'isula-blob-reader-'));
  try {
    const path = join(dir, 'blob');
    writeFileSync(path, bytes);
    await use(path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });
}

test.each([0, 1, 512 * 1024, 512 * 1024 + 1, 5_000_000])('gives the %d bytes of a file; a chunk outlives the next one', async (size) => {
  const bytes = new Uint8Array(size).map((_, at) => at * 31 + (at >> 12));
  await withFile(bytes, async (path) => {
    const copies: Buffer[] = [];
    let last: { chunk: Uint8Array; copy: Buffer } | undefined;
    for await (const chunk of readInTurn(path)) {
      const copy = Buffer.from(chunk);
      if (last) expect(last.copy.equals(last.chunk)).toBe(true);
      last = { chunk, copy };
      copies.push(copy);
    }
    expect(Buffer.concat(copies).equals(bytes)).toBe(true);
    expect(isOpen(path)).toBe(false);
  });
});

test('closes the file when the reader stops early, and says when there is none', async () => {
  await withFile(new Uint8Array(3_000_000), async (path) => {
    for await (const chunk of readInTurn(path)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isOpen(path)).toBe(false);
  });
  await expect(readInTurn('/nonexistent/blob').next()).rejects.toThrow('ENOENT');
});

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack, type Headers } from 'tar-stream';
import type { Body } from '../../client/index.ts';
import { unpackTree } from './unpack.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync('/tmp/isula-unpack-');
  mkdirSync(join(dir, 'out'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function bodyOf(entries: readonly (Headers & { text?: string })[]): Body {
  const tar = pack();
  for (const { text, ...headers } of entries) tar.entry(headers, text ?? '');
  tar.finalize();
  const chunks = tar[Symbol.asyncIterator]();
  return {
    async read() {
      const { done, value } = await chunks.next();
      return done === true ? undefined : new Uint8Array(value);
    },
  };
}

function unpack(entries: readonly (Headers & { text?: string })[], keepOwners = false): Promise<void> {
  return unpackTree(bodyOf(entries), { target: join(dir, 'out', 'root'), keepOwners });
}

test('files, links and modes come out; without -a nothing comes out that runs as its owner', async () => {
  const file = { name: 'root/sub/file', mode: 0o6755, text: 'hello' };
  await unpack([{ name: 'root', type: 'directory', mode: 0o755 }, { name: 'root/sub', type: 'directory', mode: 0o500 }, file]);
  expect(readFileSync(join(dir, 'out/root/sub/file'), 'utf8')).toBe('hello');
  expect(statSync(join(dir, 'out/root/sub')).mode & 0o7777).toBe(0o500);
  expect(statSync(join(dir, 'out/root/sub/file')).mode & 0o7777).toBe(0o755);
  await unpack([{ name: 'root', type: 'directory', mode: 0o755 }, file], true);
  expect(statSync(join(dir, 'out/root/sub/file')).mode & 0o7777).toBe(0o6755);
});

test('names that climb out, and paths through links that the archive brought, are refused', async () => {
  const root = { name: 'root', type: 'directory' } as const;
  await expect(unpack([root, { name: 'root/../../evil', text: 'x' }])).rejects.toThrow('leaves the archive');
  await expect(unpack([root, { name: 'other/evil', text: 'x' }])).rejects.toThrow('is not below');
  const link = { name: 'root/l', type: 'symlink', linkname: dir } as const;
  await expect(unpack([root, link, { name: 'root/l/evil', text: 'x' }])).rejects.toThrow('not a directory');
  expect(existsSync(join(dir, 'evil'))).toBe(false);
});

test('a directory that is replaced by a link does not hand its attributes on to what the link points to', async () => {
  const victim = join(dir, 'victim');
  writeFileSync(victim, 'secret', { mode: 0o600 });
  await unpack([
    { name: 'root', type: 'directory' }, { name: 'root/a', type: 'directory', mode: 0o777 }, { name: 'root/a', type: 'symlink', linkname: victim },
  ]);
  expect(lstatSync(join(dir, 'out/root/a')).isSymbolicLink()).toBe(true);
  expect(statSync(victim).mode & 0o777).toBe(0o600);
});

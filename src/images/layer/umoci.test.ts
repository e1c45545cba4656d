import { afterAll, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountOverlay, umountAll } from '../../linux/index.ts';
import { extractLayer } from './extract.ts';
import { packTree } from './pack.ts';
import { gather, inPieces, tarOf } from './tar-testing.ts';

const base = mkdtempSync(join(tmpdir(), 'umoci-'));
const merged = join(base, 'merged');
afterAll(() => {
  umountAll(merged);
  rmSync(base, { recursive: true, force: true });
});

test.skipIf(Bun.which('umoci') === null)('layers unpack to what umoci makes of them', async () => {
  const signal = new AbortController().signal;
  const layers = [
    tarOf(
      { name: './', mode: 0o755 }, { name: 'a/', mode: 0o2755, mtimeSec: 10 }, { name: 'a/x', content: 'x', mode: 0o4755, uid: 4 },
      { name: 'a/y', content: 'y' }, { name: 'b/' }, { name: 'b/c/' }, { name: 'b/c/d', content: 'd' }, { name: 'usr/' }, { name: 'usr/lib/' },
      { name: 'lib', type: 'symlink', linkName: 'usr/lib' }, { name: 'h', type: 'link', linkName: 'a/y' }, { name: 'fifo', type: 'fifo' },
    ),
    tarOf(
      { name: 'a/', mtimeSec: 20 }, { name: 'a/.wh.x' }, { name: 'a/z', content: 'z', gid: 7 }, { name: 'b/', mtimeSec: 30 },
      { name: 'b/.wh..wh..opq' }, { name: 'b/new', content: 'n' }, { name: '.wh.h' }, { name: 'long/' },
      { name: `long/${'n'.repeat(200)}`, content: 'l' },
    ),
  ];
  const image = join(base, 'image');
  const run = (...args: string[]) => expect(spawnSync('umoci', args).stderr.toString()).not.toContain('FATAL');
  run('init', '--layout', image);
  run('new', '--image', `${image}:t`);
  const dirs: string[] = [];
  for (const [index, tar] of layers.entries()) {
    writeFileSync(join(base, `${index}.tar`), tar);
    run('raw', 'add-layer', '--image', `${image}:t`, join(base, `${index}.tar`));
    const dir = join(base, `layer${index}`);
    mkdirSync(dir);
    const limits = { bytesMax: 1e6, entriesMax: 100 };
    await extractLayer(inPieces(tar), dir, { limits, form: 'oci-layer', signal, parents: dirs.toReversed() });
    dirs.push(dir);
  }
  run('unpack', '--image', `${image}:t`, join(base, 'bundle'));
  const [upper, work] = [join(base, 'upper'), join(base, 'work')];
  for (const path of [upper, work, merged]) mkdirSync(path);
  mountOverlay({ lowers: dirs.toReversed(), upper, work, target: merged, options: [] });
  const list = async (root: string) => {
    const tar = await gather(packTree(root, undefined, signal));
    return spawnSync('tar', ['--numeric-owner', '--full-time', '-tvf', '-'], { input: tar }).stdout.toString();
  };
  expect(await list(merged)).toContain('a/z');
  expect(await list(merged)).toBe(await list(join(base, 'bundle/rootfs')));
});

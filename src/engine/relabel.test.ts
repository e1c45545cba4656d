import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getXattr } from '../linux/index.ts';
import { relabelTree } from './relabel.ts';

test('a tree is labelled, links are not followed, a file alone too', async () => {
  const root = mkdtempSync('/tmp/isula-relabel-');
  try {
    const [tree, outside] = [join(root, 'tree'), join(root, 'outside')];
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(outside, '');
    for (const path of ['file', 'sub/deep']) writeFileSync(join(tree, path), '');
    symlinkSync(outside, join(tree, 'link'));
    const label = 'system_u:object_r:container_file_t:s0';
    await relabelTree(tree, label);
    const labelOf = (path: string) => getXattr(path, 'security.selinux')?.toString();
    for (const path of ['', 'file', 'sub', 'sub/deep', 'link']) expect([path, labelOf(join(tree, path))]).toEqual([path, `${label}\0`]);
    expect(labelOf(outside)).toBeUndefined();
    await relabelTree(outside, 'other:object_r:container_file_t:s0:c1,c2');
    expect(labelOf(outside)).toBe('other:object_r:container_file_t:s0:c1,c2\0');
  } finally {
    rmSync(root, { recursive: true });
  }
});

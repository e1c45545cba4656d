import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { CgroupAttach } from './cgroup-attach.ts';
import { readCgroupLayout } from './cgroup-layout.ts';

test('the move that is made beforehand leaves this process where it is', async () => {
  const before = readFileSync('/proc/self/cgroup', 'utf8');
  const attach = new CgroupAttach(readCgroupLayout());
  for (let n = 0; n < 3; n++) attach.begin();
  await Bun.file('/proc/self/cgroup').text();
  expect(readFileSync('/proc/self/cgroup', 'utf8')).toBe(before);
});

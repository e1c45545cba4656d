import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lookupUser } from './user.ts';

const root = mkdtempSync(join(tmpdir(), 'user-'));
const bare = mkdtempSync(join(tmpdir(), 'user-bare-'));
afterAll(() => {
  for (const path of [root, bare]) rmSync(path, { recursive: true, force: true });
});
mkdirSync(join(root, 'etc'));
writeFileSync(join(root, 'etc/passwd'), [
  'root:x:0:0:root:/root:/bin/sh', '# note', 'bad:x:one:two', '', 'web:x:33:34::/var/www:/bin/sh', '1000:x:7:8::/seven:', 'root2:x:0:5::/r2:', '',
].join('\n'));
writeFileSync(join(root, 'etc/group'), 'root:x:0:\nadm:x:4:web,root\nweb:x:34:web\nvideo:x:44:other, web\n');

test.each([
  ['', { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
  ['web', { uid: 33, gid: 34, additionalGids: [34, 4, 44], home: '/var/www' }],
  ['33', { uid: 33, gid: 34, additionalGids: [34, 4, 44], home: '/var/www' }],
  ['web:video', { uid: 33, gid: 44, additionalGids: [44], home: '/var/www' }],
  ['web:9999', { uid: 33, gid: 9999, additionalGids: [9999], home: '/var/www' }],
  ['4242', { uid: 4242, gid: 0, additionalGids: [0], home: '/' }],
  ['4242:adm', { uid: 4242, gid: 4, additionalGids: [4], home: '/' }],
  ['1000', { uid: 7, gid: 8, additionalGids: [8], home: '/seven' }],
])('finds %p', (spec, identity) => {
  expect(lookupUser(root, spec, [])).toEqual(identity);
});

test('adds groups', () => {
  expect(lookupUser(root, 'web:web', ['adm', '777', '4']).additionalGids).toEqual([34, 4, 777]);
  expect(() => lookupUser(root, 'web', ['nosuch'])).toThrow('Unable to find group nosuch');
});

test('refuses what is not there or out of range', () => {
  expect(() => lookupUser(root, 'nosuch', [])).toThrow('unable to find user nosuch: no matching entries in passwd file');
  expect(() => lookupUser(root, 'web:nosuch', [])).toThrow('unable to find group nosuch: no matching entries in group file');
  for (const spec of ['-1', '2147483648', '1:-5']) expect(() => lookupUser(root, spec, [])).toThrow('uids and gids must be in range 0-2147483647');
});

test('works without the files, and never reads those of the host through a link', () => {
  expect(lookupUser(bare, '', [])).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/' });
  expect(lookupUser(bare, '12:13', [])).toEqual({ uid: 12, gid: 13, additionalGids: [13], home: '/' });
  mkdirSync(join(bare, 'etc'));
  symlinkSync('/etc/passwd', join(bare, 'etc/passwd'));
  symlinkSync('../../../../../etc/group', join(bare, 'etc/group'));
  expect(() => lookupUser(bare, 'daemon', [])).toThrow('unable to find user daemon');
});

import { expect, test } from 'bun:test';
import { containerOwner, hostOwner } from '../base/index.ts';
import { resolveUsernsRemap } from './userns-remap.ts';

const files = {
  passwd: 'root:x:0:0::/root:/bin/sh\nmapped:x:500:501::/:/bin/false\ndockremap:x:600:600::/:/bin/false\n',
  group: 'root:x:0:\nmapped:x:501:\nother:x:502:\ndockremap:x:600:\n',
  subuid: 'mapped:100000:1000\nroot:5:5\nmapped:300000:65536\n600:700000:65536\n',
  subgid: 'mapped:200000:65536\nother:400000:10\ndockremap:800000:65536\nzero:0:5\n',
};

test('names, numbers and default; ranges follow one another', () => {
  const uid = [{ containerID: 0, hostID: 100000, size: 1000 }, { containerID: 1000, hostID: 300000, size: 65536 }];
  const gid = [{ containerID: 0, hostID: 200000, size: 65536 }];
  for (const text of ['mapped', '500', 'mapped:mapped', '500:501']) expect(resolveUsernsRemap(text, files)).toEqual({ uid, gid });
  expect(resolveUsernsRemap('mapped:other', files).gid).toEqual([{ containerID: 0, hostID: 400000, size: 10 }]);
  expect(resolveUsernsRemap('default', files).uid).toEqual([{ containerID: 0, hostID: 700000, size: 65536 }]);
});

test('what cannot be is refused with the reason', () => {
  const table: [text: string, changes: Partial<typeof files>, message: string][] = [
    ['', {}, 'want default'], ['a:b:c', {}, 'want default'], ['mapped:', {}, 'want default'], ['nosuch', {}, 'there is no user nosuch'],
    ['mapped:nosuch', {}, 'there is no group nosuch'], ['root', {}, '/etc/subgid has no range for root'], ['mapped', { subuid: '' },
      '/etc/subuid has no range'],
    ['mapped', { subuid: 'mapped:x:5' }, 'bad line'], ['mapped', { subuid: 'mapped:0:5' }, 'the host\'s root'], ['mapped', { subuid: 'mapped:5:0' },
      'bad line'],
  ];
  for (const [text, changes, message] of table) expect(() => resolveUsernsRemap(text, { ...files, ...changes })).toThrow(message);
});

test('owners, there and back; outside the ranges', () => {
  const maps = resolveUsernsRemap('mapped', files);
  expect(hostOwner(maps, { uid: 0, gid: 0 })).toEqual({ uid: 100000, gid: 200000 });
  expect(hostOwner(maps, { uid: 1500, gid: 7 })).toEqual({ uid: 300500, gid: 200007 });
  expect(containerOwner(maps, { uid: 300500, gid: 200007 })).toEqual({ uid: 1500, gid: 7 });
  expect(containerOwner(maps, { uid: 0, gid: 0 })).toEqual({ uid: 65534, gid: 65534 });
  expect(() => hostOwner(maps, { uid: 66536, gid: 0 })).toThrow('Cannot map user id 66536');
});

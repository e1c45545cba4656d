import { blockBytes, paddingOf, type TarEntry, type TarType } from './tar-format.ts';

const flags: Record<TarType, string> = { file: '0', link: '1', symlink: '2', char: '3', block: '4', dir: '5', fifo: '6' };
const octal11Max = 0o77777777777;
const octal7Max = 0o7777777;
/** ext4 and XFS have no times outside; a record says what the header cannot. */
const zeroBlock = Buffer.alloc(blockBytes);

/** The two zero blocks that end a tar. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

/**
 * A header in ustar form, with a pax header before it for what ustar cannot hold: long names, big numbers, extended attributes.
 * Whole seconds: docker's own layers have no fractions, and each would cost a pax header.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const records: [string, Buffer][] = [];
  const add = (key: string, value: string) => records.push([key, Buffer.from(value, 'latin1')]);
  const name = entry.type === 'dir' && !entry.name.endsWith('/') ? `${entry.name}/` : entry.name;
  const [prefix, base] = splitName(name) ?? ['', undefined];
  if (base === undefined) add('path', name);
  if (entry.linkName.length > 100) add('linkpath', entry.linkName);
  if (entry.size > octal11Max) add('size', String(entry.size));
  if (entry.uid > octal7Max) add('uid', String(entry.uid));
  if (entry.gid > octal7Max) add('gid', String(entry.gid));
  const timeFits = entry.mtimeSec >= 0 && entry.mtimeSec <= octal11Max;
  if (!timeFits) add('mtime', String(entry.mtimeSec));
  for (const [key, value] of entry.xattrs) records.push([`SCHILY.xattr.${key}`, value]);
  const header = ustar({ ...entry, mtimeSec: timeFits ? entry.mtimeSec : 0 }, prefix, base ?? name.slice(0, 100), flags[entry.type]);
  if (records.length === 0) return header;
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const outer = { ...entry, size: body.length, mode: 0o644, uid: 0, gid: 0, mtimeSec: 0, linkName: '', deviceMajor: 0, deviceMinor: 0 };
  const paxName = `PaxHeaders.0/${name.replace(/\/+$/, '').split('/').pop() ?? ''}`.slice(0, 100);
  return Buffer.concat([ustar(outer, '', paxName, 'x'), body, zeroBlock.subarray(0, paddingOf(body.length)), header]);
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), value, Buffer.from('\n')]);
}

/** A name as ustar's prefix and name fields; undefined when it does not fit them. */
function splitName(name: string): [prefix: string, base: string] | undefined {
  if (name.length <= 100) return ['', name];
  if (name.length > 256) return undefined;
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return [name.slice(0, slash), name.slice(slash + 1)];
}

function ustar(entry: TarEntry, prefix: string, base: string, flag: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(base, 0, 100, 'latin1');
  octal(block, 100, 8, entry.mode);
  octal(block, 108, 8, entry.uid);
  octal(block, 116, 8, entry.gid);
  octal(block, 124, 12, entry.size);
  octal(block, 136, 12, entry.mtimeSec);
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  block.write(entry.linkName.slice(0, 100), 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 329, 8, entry.deviceMajor);
  octal(block, 337, 8, entry.deviceMinor);
  block.write(prefix, 345, 155, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Octal digits and a NUL; 0 where they do not fit, as a pax record has the number then. */
function octal(block: Buffer, at: number, length: number, value: number): void {
  const digits = value.toString(8);
  block.write(`${(digits.length < length ? digits : '0').padStart(length - 1, '0')}\0`, at, 'latin1');
}

import { malformed } from './tar-format.ts';

/** Attributes one file may have in an archive, and the size of each (XATTR_SIZE_MAX). */
const xattrsMax = 1000;
const xattrBytesMax = 65536;
const xattrNameBytesMax = 255;

/** A pax extended header (POSIX.1-2017, pax, "pax Extended Header"), with GNU's and SCHILY's keywords. */
export interface PaxRecords {
  values: Map<string, string>;
  xattrs: Map<string, Buffer>;
  /** GNU.sparse.offset / numbytes of format 0.0, which come as repeated pairs. */
  sparsePairs: string[];
}

const xattrPrefix = 'SCHILY.xattr.';

/** Reads records `LENGTH KEY=VALUE\n`, LENGTH in decimal and counting itself. Values stay raw, so `hdrcharset` changes nothing. */
export function parsePax(body: Buffer): PaxRecords {
  const records: PaxRecords = { values: new Map(), xattrs: new Map(), sparsePairs: [] };
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    if (space < 0 || space - at > 10) throw malformed('a pax record has no length');
    const length = decimal(body.toString('latin1', at, space), 'pax record length');
    const end = at + length;
    if (length === 0 || end > body.length || end <= space + 1 || body[end - 1] !== 0x0a) throw malformed('a pax record has a wrong length');
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= end - 1 || equals === space + 1) throw malformed('a pax record has no keyword');
    addRecord(records, body.toString('latin1', space + 1, equals), body.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

function addRecord(records: PaxRecords, key: string, value: Buffer): void {
  if (key.startsWith(xattrPrefix)) {
    const name = key.slice(xattrPrefix.length);
    if (name === '' || name.length > xattrNameBytesMax || name.includes('\0')) throw malformed('an extended attribute has no usable name');
    if (value.length > xattrBytesMax) {
      throw malformed(`extended attribute ${JSON.stringify(name)} has ${value.length} bytes, the limit is ${xattrBytesMax}`);
    }
    if (records.xattrs.size >= xattrsMax) throw malformed(`a file has more than ${xattrsMax} extended attributes`);
    records.xattrs.set(name, Buffer.from(value));
    return;
  }
  if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
    const wanted = records.sparsePairs.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes';
    if (key !== wanted) throw malformed('its sparse map is out of order');
    records.sparsePairs.push(value.toString('latin1'));
    return;
  }
  const text = value.toString('latin1');
  if ((key === 'path' || key === 'linkpath' || key === 'GNU.sparse.name') && text.includes('\0')) throw malformed('a name contains a NUL byte');
  records.values.set(key, text);
}

/** A decimal number without sign. */
export function decimal(text: string, name: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw malformed(`its ${name} is not a number`);
  return value;
}

/** `[-]SECONDS[.FRACTION]` as seconds and nanoseconds after them; further digits are cut. */
export function paxTime(text: string): { sec: number; nsec: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]{0,40}))?$/.exec(text);
  if (match === null) throw malformed('its time is not a number');
  const [, sign, seconds, fraction = ''] = match;
  const nsec = Number(fraction.slice(0, 9).padEnd(9, '0'));
  const sec = Number(seconds);
  if (sign !== '-') return { sec, nsec };
  return nsec === 0 ? { sec: -sec, nsec: 0 } : { sec: -sec - 1, nsec: 1_000_000_000 - nsec };
}

import { EngineError } from '../../base/index.ts';

/**
 * The tar format (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
 * A tar is a row of 512-byte blocks: a header, then the file's bytes padded to whole blocks; two zero blocks end it.
 * Names are raw: bytes kept as latin1 text, one character each, because a file's name need not be UTF-8.
 */
export const blockBytes = 512;

export type TarType = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'dir' | 'fifo';

export interface TarEntry {
  type: TarType;
  /** Raw, as the archive has it; never empty. */
  name: string;
  /** Of links, raw. */
  linkName: string;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file when it is unpacked; 0 for what is not a file. */
  size: number;
  mtimeSec: number;
  mtimeNsec: number;
  deviceMajor: number;
  deviceMinor: number;
  /** Extended attributes by their raw names. */
  xattrs: ReadonlyMap<string, Buffer>;
  /** Of a sparse file: which parts of it the archive holds, ascending and apart. */
  sparse?: readonly SparseSegment[];
}

export interface SparseSegment {
  offset: number;
  length: number;
}

/** An archive that breaks the format. */
export function malformed(why: string): EngineError {
  return new EngineError('invalidArgument', `Cannot read tar archive: ${why}`);
}

/** The bytes that pad `size` to whole blocks. */
export function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

/** A NUL-terminated field, raw. */
export function textField(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end);
}

/**
 * A number: octal digits amid spaces and NULs, or GNU's base-256, a big-endian two's complement whose first bit is set.
 * @throws EngineError invalidArgument for anything else, and what a double cannot hold exactly.
 */
export function numberField(block: Buffer, at: number, length: number, name: string): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, at, length, name);
  let value = 0;
  let digits = 0;
  let ended = false;
  for (let index = at; index < at + length; index++) {
    const byte = block[index] ?? 0;
    if (byte === 0x20 || byte === 0) {
      // Spaces lead, and either ends; what follows a NUL is not looked at, as some writers leave rubbish there.
      if (digits > 0) ended = true;
      if (byte === 0 && (digits > 0 || index > at)) break;
      continue;
    }
    if (byte < 0x30 || byte > 0x37 || ended) throw malformed(`its ${name} is not a number`);
    value = value * 8 + (byte - 0x30);
    digits++;
  }
  if (!Number.isSafeInteger(value)) throw malformed(`its ${name} is out of range`);
  return value;
}

function base256(block: Buffer, at: number, length: number, name: string): number {
  const negative = ((block[at] ?? 0) & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (let index = 0; index < length; index++) {
    let byte = block[at + index] ?? 0;
    if (index === 0) byte = negative ? byte | 0x80 : byte & 0x7f;
    value = (value << 8n) | BigInt(byte);
  }
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw malformed(`its ${name} is out of range`);
  return number;
}

/** Whether a header's checksum holds, by unsigned or (old writers) signed bytes. */
export function checksumHolds(block: Buffer): boolean {
  let unsigned = 0;
  let high = 0;
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : block[index] ?? 0;
    unsigned += byte;
    if (byte >= 0x80) high++;
  }
  let stored: number;
  try {
    stored = numberField(block, 148, 8, 'checksum');
  } catch {
    return false;
  }
  return stored === unsigned || stored === unsigned - 256 * high;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let index = 0; index < blockBytes; index++) if (block[index] !== 0) return false;
  return true;
}

/** A raw name for messages. */
export function shown(name: string): string {
  return JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString());
}

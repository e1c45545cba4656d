import { h2HeaderBytes } from './h2-frames.ts';

/** HEADERS (RFC 9113, section 6.2): a byte of padding length and five of priority come first where these flags are set. */
const flagPadded = 0x8;
const flagPriority = 0x20;
/** `:authority` in HPACK's static table (RFC 7541, appendix A). */
const authorityIndex = 1;
const stringBytesMax = 4096;

/**
 * The characters of HPACK's Huffman code by the length of their codes (RFC 7541, appendix B). The code is canonical: those of one length
 * are numbered in order, which is all there is to know. What is missing has longer codes and stands in no path.
 */
const symbolsByLength = new Map([
  [5, '012aceiost'], [6, ' %-./3456789=A_bdfghlmnpru'], [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'], [8, '&*,;XZ'], [10, '!"()?'], [11, '\'+|'],
  [12, '#>'], [13, '\0$@[]~'],
]);

const codes = ((): ReadonlyMap<string, string> => {
  const byCode = new Map<string, string>();
  let code = 0;
  for (let length = 5; length <= 13; length++) {
    for (const symbol of symbolsByLength.get(length) ?? '') byCode.set((code++).toString(2).padStart(length, '0'), symbol);
    code <<= 1;
  }
  return byCode;
})();

/**
 * Makes the `:authority` of a HEADERS frame one that Bun's HTTP/2 server takes. The kubelet (up to 1.30) and other Go clients that dial a
 * unix socket send its path there; Go's own servers do not look, Bun resets the stream with PROTOCOL_ERROR.
 *
 * Each character that may not stand in a host becomes `-`. The length stays, so both sides' HPACK tables keep agreeing on
 * sizes, and a client that refers to the entry later gets the changed one. Frames that are not understood pass unchanged.
 */
export function withValidAuthority(frame: Buffer): Buffer {
  const flags = frame.readUInt8(4);
  const start = h2HeaderBytes + ((flags & flagPadded) !== 0 ? 1 : 0) + ((flags & flagPriority) !== 0 ? 5 : 0);
  const padding = (flags & flagPadded) !== 0 && frame.length > h2HeaderBytes ? frame.readUInt8(h2HeaderBytes) : 0;
  const found = findAuthority(frame, start, frame.length - padding);
  const text = found?.text.replace(/[^A-Za-z0-9.:_%[\]-]/g, '-');
  if (found === undefined || text === undefined || text === found.text) return frame;
  const value = Buffer.concat([integer(text.length, 7), Buffer.from(text, 'latin1')]);
  const changed = Buffer.concat([frame.subarray(0, found.from), value, frame.subarray(found.to)]);
  changed.writeUIntBE(changed.length - h2HeaderBytes, 0, 3);
  return changed;
}

/** The value of a literal `:authority` and where it is encoded. */
interface Found {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Walks the header block's representations (RFC 7541, section 6). */
function findAuthority(bytes: Buffer, start: number, end: number): Found | undefined {
  for (let at = start; at < end; ) {
    const first = bytes.readUInt8(at);
    const prefix = (first & 0x80) !== 0 ? 7 : (first & 0x40) !== 0 ? 6 : (first & 0x20) !== 0 ? 5 : 4;
    const index = readInteger(bytes, at, end, prefix);
    if (index === undefined) return undefined;
    at = index.next;
    // An indexed field, or a change of the table's size: there is no text behind it.
    if (prefix === 7 || prefix === 5) continue;
    if (index.value === 0) {
      const name = readString(bytes, at, end);
      if (name === undefined) return undefined;
      at = name.next;
    }
    const value = readString(bytes, at, end);
    if (value === undefined) return undefined;
    if (index.value === authorityIndex) {
      const text = value.huffman ? decodeHuffman(bytes.subarray(value.from, value.next)) : bytes.toString('latin1', value.from, value.next);
      return text === undefined ? undefined : { text, from: at, to: value.next };
    }
    at = value.next;
  }
  return undefined;
}

/** RFC 7541, section 5.1. */
function readInteger(bytes: Buffer, at: number, end: number, prefixBits: number): { value: number; next: number } | undefined {
  if (at >= end) return undefined;
  const mask = (1 << prefixBits) - 1;
  let value = bytes.readUInt8(at) & mask;
  let next = at + 1;
  if (value < mask) return { value, next };
  for (let shift = 0; next < end && shift <= 21; shift += 7) {
    const byte = bytes.readUInt8(next++);
    value += (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return { value, next };
  }
  return undefined;
}

function integer(value: number, prefixBits: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([value]);
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** RFC 7541, section 5.2; gives where the string's bytes are. */
function readString(bytes: Buffer, at: number, end: number): { huffman: boolean; from: number; next: number } | undefined {
  const length = readInteger(bytes, at, end, 7);
  if (length === undefined || length.next + length.value > end) return undefined;
  return { huffman: (bytes.readUInt8(at) & 0x80) !== 0, from: length.next, next: length.next + length.value };
}

/** Undefined for what holds a character without a code here. */
function decodeHuffman(bytes: Buffer): string | undefined {
  if (bytes.length > stringBytesMax) return undefined;
  let text = '';
  let code = '';
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code += (byte >> bit) & 1;
      const symbol = codes.get(code);
      if (symbol === undefined) {
        if (code.length > 13) return undefined;
        continue;
      }
      text += symbol;
      code = '';
    }
  }
  // Up to seven bits of padding, all ones.
  return code.length < 8 && !code.includes('0') ? text : undefined;
}

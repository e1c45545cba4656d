import { EngineError } from '../base/index.ts';
import type { Wire } from './wire.ts';

/** RFC 9112. What a daemon may send before the body, and in one chunk-size line. */
const headLimitBytes = 64 * 1024;
const chunkLineLimitBytes = 4096;

export interface ResponseHead {
  status: number;
  /** Names in lower case; repeated ones joined by `, `. */
  headers: ReadonlyMap<string, string>;
}

/** Bytes of a body, as they come; undefined at its end. */
export interface Body {
  read(): Promise<Uint8Array | undefined>;
}

const decoder = new TextDecoder();

function broken(why: string): EngineError {
  return new EngineError('unavailable', `Cannot understand the daemon's answer: ${why}`);
}

/** Reads a response's status line and headers; what follows them stays in the wire. Interim (1xx but 101) answers are skipped. */
export async function readHead(wire: Wire): Promise<ResponseHead> {
  for (;;) {
    const head = parseHead(await readUntil(wire, '\r\n\r\n', headLimitBytes, 'header'));
    if (head.status >= 200 || head.status === 101) return head;
  }
}

/** Takes bytes up to and including the mark; the rest goes back. */
async function readUntil(wire: Wire, mark: string, limit: number, what: string): Promise<string> {
  const wanted = new TextEncoder().encode(mark);
  let got: Uint8Array = new Uint8Array(0);
  for (;;) {
    const chunk = await wire.read();
    if (chunk === undefined) {
      throw got.length === 0
        ? new EngineError('unavailable', 'Connection to the iSulad daemon broke: closed before an answer')
        : broken(`it ends inside a ${what}`);
    }
    const from = Math.max(0, got.length - wanted.length + 1);
    got = got.length === 0 ? chunk : concat(got, chunk);
    const at = indexOf(got, wanted, from);
    if (at >= 0) {
      wire.unread(got.subarray(at + wanted.length));
      return decoder.decode(got.subarray(0, at));
    }
    if (got.length > limit) throw broken(`a ${what} is longer than ${limit} bytes`);
  }
}

function indexOf(bytes: Uint8Array, mark: Uint8Array, from: number): number {
  const first = mark[0];
  if (first === undefined) return from;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (mark.every((value, index) => bytes[at + index] === value)) return at;
  }
  return -1;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Parses a head without its final empty line. @throws unavailable. */
function parseHead(text: string): ResponseHead {
  const lines = text.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(lines[0] ?? '');
  if (status === null) throw broken('it is not HTTP/1.1');
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)$/.exec(line);
    const name = field?.[1]?.toLowerCase();
    if (name === undefined) throw broken(`bad header line ${JSON.stringify(line.slice(0, 80))}`);
    const before = headers.get(name);
    const value = (field?.[2] ?? '').trim();
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status[1]), headers };
}

/** What ends a body: `done(true)` when the connection can be used again. */
type Done = (reusable: boolean) => void;

/** The reader of a response's body (RFC 9112 section 6.3). `method` HEAD, 204 and 304 have none. */
export function bodyOf(wire: Wire, method: string, head: ResponseHead, done: Done): Body {
  const keep = (head.headers.get('connection') ?? '').toLowerCase() !== 'close';
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return fixedBody(wire, 0, keep, done);
  const encoding = head.headers.get('transfer-encoding');
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked') throw broken(`transfer encoding ${JSON.stringify(encoding)}`);
    return chunkedBody(wire, keep, done);
  }
  const length = head.headers.get('content-length');
  if (length === undefined) return untilClose(wire, done);
  if (!/^\d{1,15}$/.test(length)) throw broken(`content length ${JSON.stringify(length)}`);
  return fixedBody(wire, Number(length), keep, done);
}

function fixedBody(wire: Wire, length: number, keep: boolean, done: Done): Body {
  let left = length;
  let finished = false;
  const finish = (): undefined => {
    if (!finished) done(keep);
    finished = true;
  };
  if (left === 0) finish();
  return {
    async read() {
      if (left === 0) return finish();
      const chunk = await wire.read();
      if (chunk === undefined) throw broken('it ends inside a body');
      if (chunk.length > left) {
        wire.unread(chunk.subarray(left));
        const last = chunk.subarray(0, left);
        left = 0;
        return last;
      }
      left -= chunk.length;
      return chunk;
    },
  };
}

function chunkedBody(wire: Wire, keep: boolean, done: Done): Body {
  let left = 0;
  let first = true;
  let finished = false;
  return {
    async read() {
      if (finished) return undefined;
      if (left === 0) {
        if (!first && (await readUntil(wire, '\r\n', chunkLineLimitBytes, 'chunk')) !== '') throw broken('bad end of a chunk');
        first = false;
        const size = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/.exec(await readUntil(wire, '\r\n', chunkLineLimitBytes, 'chunk'));
        if (size === null) throw broken('bad chunk size');
        left = Number.parseInt(size[1] ?? '', 16);
        if (left === 0) {
          // Trailers: lines up to an empty one.
          while ((await readUntil(wire, '\r\n', headLimitBytes, 'trailer')) !== '');
          finished = true;
          done(keep);
          return undefined;
        }
      }
      const chunk = await wire.read();
      if (chunk === undefined) throw broken('it ends inside a body');
      if (chunk.length <= left) {
        left -= chunk.length;
        return chunk;
      }
      wire.unread(chunk.subarray(left));
      const last = chunk.subarray(0, left);
      left = 0;
      return last;
    },
  };
}

function untilClose(wire: Wire, done: Done): Body {
  return {
    async read() {
      const chunk = await wire.read();
      if (chunk === undefined) done(false);
      return chunk;
    },
  };
}

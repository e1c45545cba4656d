/** The parts of HTTP/2's framing (RFC 9113, section 4.1) that the window shim reads: 9 bytes of header, then the payload. */
export const frameType = { data: 0, headers: 1, rstStream: 3, settings: 4, windowUpdate: 8, continuation: 9 } as const;
export const flagEndStream = 0x1;
export const flagAck = 0x1;
export const flagEndHeaders = 0x4;
export const h2HeaderBytes = 9;
/** SETTINGS_INITIAL_WINDOW_SIZE (section 6.5.2), and what it is until somebody sets it. */
export const settingInitialWindow = 4;
export const defaultInitialWindow = 65_535;
export const windowMax = 2 ** 31 - 1;

export interface FrameHead {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

function readFrameHead(bytes: Buffer): FrameHead {
  return { length: bytes.readUIntBE(0, 3), type: bytes.readUInt8(3), flags: bytes.readUInt8(4), streamId: bytes.readUInt32BE(5) & 0x7fffffff };
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  const frame = Buffer.alloc(h2HeaderBytes + 4);
  frame.writeUIntBE(4, 0, 3);
  frame.writeUInt8(frameType.windowUpdate, 3);
  frame.writeUInt32BE(streamId, 5);
  frame.writeUInt32BE(increment, h2HeaderBytes);
  return frame;
}

/** What a scanner's owner wants of a frame: its bytes passed on as they come, or the frame whole, to change it. */
export interface FrameVisitor {
  /** Called at each header. True: hold the frame back and call `captured` once it is whole. */
  begin(head: FrameHead): boolean;
  /** The frame, header included; gives what is passed on in its place. */
  captured(head: FrameHead, frame: Buffer): Buffer;
  /** Called at the end of a frame that was passed on; gives what is passed on after it. */
  passed(head: FrameHead): Buffer | undefined;
}

/**
 * Walks a byte stream of frames, however it is cut into chunks. Payloads are passed on as views of the chunks they came in, never
 * copied; only held-back frames are.
 */
export class FrameScanner {
  readonly #visitor: FrameVisitor;
  #skip: number;
  readonly #header = Buffer.alloc(h2HeaderBytes);
  #headerFill = 0;
  #head: FrameHead | undefined;
  /** Payload bytes of the current frame still to come. */
  #left = 0;
  #capture: Buffer[] | undefined;

  /** `prefaceBytes`: what comes before the first frame. */
  constructor(visitor: FrameVisitor, prefaceBytes: number) {
    this.#visitor = visitor;
    this.#skip = prefaceBytes;
  }

  /** The pieces to pass on for this chunk, in order. */
  scan(chunk: Buffer): Buffer[] {
    const out: Buffer[] = [];
    /** Where the bytes begin that are passed on but not yet in `out`. */
    let from = 0;
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    const flush = (to: number): void => {
      if (to > from) out.push(chunk.subarray(from, to));
    };
    while (at < chunk.length) {
      if (this.#head === undefined) {
        const start = at;
        const take = Math.min(h2HeaderBytes - this.#headerFill, chunk.length - at);
        chunk.copy(this.#header, this.#headerFill, at, at + take);
        this.#headerFill += take;
        at += take;
        if (this.#headerFill < h2HeaderBytes) {
          // The header goes on in the next chunk: hold back what is here of it.
          flush(start);
          from = chunk.length;
          break;
        }
        this.#headerFill = 0;
        this.#head = readFrameHead(this.#header);
        this.#left = this.#head.length;
        if (this.#visitor.begin(this.#head)) {
          flush(start);
          from = at;
          this.#capture = [Buffer.from(this.#header)];
        } else if (take < h2HeaderBytes) {
          flush(start);
          from = at;
          out.push(Buffer.from(this.#header));
        }
      }
      const head = this.#head;
      const take = Math.min(this.#left, chunk.length - at);
      // A held-back frame may span chunks, and their memory is not ours to keep.
      if (this.#capture !== undefined && take > 0) this.#capture.push(Buffer.from(chunk.subarray(at, at + take)));
      at += take;
      this.#left -= take;
      if (this.#left > 0) {
        if (this.#capture !== undefined) from = at;
        break;
      }
      this.#head = undefined;
      if (this.#capture !== undefined) {
        const replaced = this.#visitor.captured(head, Buffer.concat(this.#capture));
        this.#capture = undefined;
        if (replaced.length > 0) out.push(replaced);
        from = at;
        continue;
      }
      const injected = this.#visitor.passed(head);
      if (injected !== undefined) {
        flush(at);
        from = at;
        out.push(injected);
      }
    }
    flush(chunk.length);
    return out;
  }
}

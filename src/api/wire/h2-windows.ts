import { withValidAuthority } from './h2-authority.ts';
import {
  defaultInitialWindow, flagAck, flagEndHeaders, flagEndStream, type FrameHead, frameType, type FrameVisitor, h2HeaderBytes, settingInitialWindow,
  windowMax, windowUpdate,
} from './h2-frames.ts';

/** A peer that holds more streams open than this is hostile: grpc-js allows a fraction of it. */
const openStreamsMax = 10_000;
/** SETTINGS_MAX_FRAME_SIZE as we leave it: nothing longer may come. */
const frameBytesMax = 16_384;
/** A setting that stands for nothing; receivers ignore what they do not know (RFC 9113, section 6.5.2). */
const settingIgnored = 0xfff0;

/**
 * Bookkeeping for Bun's fault in HTTP/2 flow control: when SETTINGS_INITIAL_WINDOW_SIZE changes, its server sets the window of
 * each open stream to max(window, new), where RFC 9113, section 6.9.2 wants the difference added. It may then wait for ever
 * (a Go client that raises the value), or send more than it may.
 *
 * So Bun is shown the first value only. Every later one is taken out of the SETTINGS frame and told in a language it
 * understands: a WINDOW_UPDATE of the difference for each open stream, and for each stream that opens later, right behind its HEADERS.
 * A decrease cannot be told so; it becomes a debt that is taken off the stream's next WINDOW_UPDATEs. Until it is paid the
 * server may send what the old window allowed: the RFC makes clients ready for that (their SETTINGS may still be on its way).
 */
export class StreamWindows implements FrameVisitor {
  /** What each open stream owes (0 or more). */
  readonly #debts = new Map<number, number>();
  #highestStream = 0;
  #shown: number | undefined;
  #current = defaultInitialWindow;
  #opening = 0;

  get openStreams(): number {
    return this.#debts.size;
  }

  /** Inbound. @throws RangeError for what no honest client sends. */
  begin(head: FrameHead): boolean {
    const { type, flags, streamId, length } = head;
    if (length > frameBytesMax) throw new RangeError(`HTTP/2 frame of ${length} bytes, at most ${frameBytesMax} are allowed`);
    if (type === frameType.headers && streamId > this.#highestStream) {
      this.#highestStream = streamId;
      this.#opening = streamId;
      this.#debts.set(streamId, 0);
      if (this.#debts.size > openStreamsMax) throw new RangeError(`More than ${openStreamsMax} open HTTP/2 streams`);
      // Held back to look at `:authority`; a header block in several frames, which no client of ours sends, passes as it is.
      return (flags & flagEndHeaders) !== 0;
    }
    if (type === frameType.rstStream) this.#debts.delete(streamId);
    if (type === frameType.settings) return (flags & flagAck) === 0;
    return type === frameType.windowUpdate && length === 4 && (this.#debts.get(streamId) ?? 0) > 0;
  }

  passed(head: FrameHead): Buffer | undefined {
    const isHeaders = head.type === frameType.headers || head.type === frameType.continuation;
    if (!isHeaders || (head.flags & flagEndHeaders) === 0 || head.streamId !== this.#opening) return undefined;
    this.#opening = 0;
    return this.#grant(head.streamId, this.#current - (this.#shown ?? defaultInitialWindow));
  }

  captured(head: FrameHead, frame: Buffer): Buffer {
    if (head.type === frameType.settings) return this.#settings(frame);
    if (head.type === frameType.windowUpdate) return this.#update(head.streamId, frame);
    const grant = this.passed(head);
    const headers = withValidAuthority(frame);
    return grant === undefined ? headers : Buffer.concat([headers, grant]);
  }

  /** Outbound: a stream that the server has ended gets no more windows. */
  sent({ type, flags, streamId }: FrameHead): void {
    const ends = type === frameType.rstStream || ((type === frameType.data || type === frameType.headers) && (flags & flagEndStream) !== 0);
    if (ends) this.#debts.delete(streamId);
  }

  #settings(frame: Buffer): Buffer {
    let next = this.#current;
    for (let at = h2HeaderBytes; at + 6 <= frame.length; at += 6) {
      if (frame.readUInt16BE(at) !== settingInitialWindow) continue;
      const value = frame.readUInt32BE(at + 2);
      // Too large a value is a connection error (section 6.5.2), which the server behind us reports.
      if (value > windowMax) return frame;
      next = value;
      if (this.#shown !== undefined) frame.writeUInt16BE(settingIgnored, at);
    }
    if (this.#shown === undefined) {
      this.#shown = next;
      this.#current = next;
      return frame;
    }
    const change = next - this.#current;
    this.#current = next;
    if (change === 0) return frame;
    const grants: Buffer[] = [frame];
    for (const streamId of this.#debts.keys()) {
      // Its window is opened behind its headers, which are not whole yet.
      if (streamId === this.#opening) continue;
      const grant = this.#grant(streamId, change);
      if (grant !== undefined) grants.push(grant);
    }
    return Buffer.concat(grants);
  }

  #update(streamId: number, frame: Buffer): Buffer {
    const increment = frame.readUInt32BE(h2HeaderBytes) & 0x7fffffff;
    // Zero is a stream error (section 6.9), which the server behind us reports.
    if (increment === 0) return frame;
    return this.#grant(streamId, increment) ?? Buffer.alloc(0);
  }

  #grant(streamId: number, change: number): Buffer | undefined {
    const owed = this.#debts.get(streamId);
    if (owed === undefined) return undefined;
    const net = change - owed;
    this.#debts.set(streamId, Math.max(0, -net));
    return net > 0 ? windowUpdate(streamId, net) : undefined;
  }
}

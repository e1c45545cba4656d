import type { OutputStream } from '../../base/index.ts';

/**
 * Docker's multiplexed stream (moby, pkg/stdcopy): each piece of output has a header of 8 bytes: the stream's number, three zero
 * bytes, the payload's length in big-endian order.
 */
export const frameHeaderBytes = 8;
/** The stream on which the daemon itself says that the output broke off; clients show it as an error. */
export const systemErrorStream = 3;

/** Writes a frame's header at the start of `target`. */
export function writeFrameHeader(target: Uint8Array, stream: OutputStream | typeof systemErrorStream, payloadBytes: number): void {
  target[0] = stream;
  target[1] = target[2] = target[3] = 0;
  target[4] = payloadBytes >>> 24;
  target[5] = payloadBytes >>> 16;
  target[6] = payloadBytes >>> 8;
  target[7] = payloadBytes;
}

/** A frame of its own memory. */
export function makeFrame(stream: OutputStream | typeof systemErrorStream, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  writeFrameHeader(frame, stream, payload.length);
  frame.set(payload, frameHeaderBytes);
  return frame;
}

import { EngineError } from '../base/index.ts';
import type { Body } from './http.ts';

/** Docker's multiplexed stream: 8 bytes (stream number, 0, 0, 0, big-endian length), then that many bytes of payload. */
const headerBytes = 8;
const systemError = 3;
/** Of the daemon's own error text, a piece. */
const failureMax = 4096;

/**
 * Splits a multiplexed stream and hands each piece on, in order. Pieces of a frame are passed as they come (a frame may be
 * larger than memory); frames of one stream that came together are joined in place, so that a thousand small ones are one
 * write. `write` is waited for; its chunk is valid until then.
 * @throws unavailable when the stream is not multiplexed, or ends inside a frame; internal for the daemon's own error frame.
 */
export async function demultiplex(body: Body, write: (stream: 1 | 2, chunk: Uint8Array) => Promise<void>): Promise<void> {
  const header = new Uint8Array(headerBytes);
  let headerFill = 0;
  let stream = 0;
  let left = 0;
  let failure = '';
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    // What waits to be written: chunk[from, to), of stream `pending`.
    let from = 0;
    let to = 0;
    let pending: 1 | 2 = 1;
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        const take = Math.min(headerBytes - headerFill, chunk.length - at);
        header.set(chunk.subarray(at, at + take), headerFill);
        headerFill += take;
        at += take;
        if (headerFill < headerBytes) continue;
        headerFill = 0;
        stream = header[0] ?? 0;
        if (stream > systemError) throw new EngineError('unavailable', `Cannot understand the output stream: no stream ${stream}`);
        left = new DataView(header.buffer).getUint32(4);
        continue;
      }
      const take = Math.min(left, chunk.length - at);
      left -= take;
      if (stream === systemError) failure += new TextDecoder().decode(chunk.subarray(at, at + take)).slice(0, failureMax);
      else {
        // Stream 0 is stdin's echo in old daemons: docker shows it as output.
        const wanted = stream === 2 ? 2 : 1;
        if (to > from && wanted === pending) {
          chunk.copyWithin(to, at, at + take);
          to += take;
        } else {
          if (to > from) await write(pending, chunk.subarray(from, to));
          pending = wanted;
          from = at;
          to = at + take;
        }
      }
      at += take;
    }
    if (to > from) await write(pending, chunk.subarray(from, to));
    if (failure !== '' && left === 0) throw new EngineError('internal', `Error from daemon in stream: ${failure.trim()}`);
  }
  if (left > 0 || headerFill > 0) throw new EngineError('unavailable', 'The output stream ended inside a frame: the daemon closed the connection');
}

import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { messageOf, type OutputSink, type OutputStream } from '../../base/index.ts';
import type { ProgressMessage, ProgressSink } from '../../images/index.ts';
import { makeFrame, systemErrorStream } from '../wire/index.ts';
import type { Call } from './call.ts';
import { failureOf } from './errors.ts';

/** Beyond this much unsent output progress bars are left out; every other line is sent. */
const progressBacklogBytes = 256 * 1024;

/** Resolves when the answer can take more, or is over. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.writableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** Sends each value as a line of JSON as it comes; ends with the source, or when the client leaves. */
export async function sendJsonLines(call: Call, values: AsyncIterable<unknown>): Promise<void> {
  call.begin('application/json');
  for await (const value of values) {
    if (call.signal.aborted) return;
    if (!call.response.write(`${JSON.stringify(value)}\n`)) await drained(call.response);
  }
  call.response.end();
}

/**
 * Runs a long operation that reports its progress as lines of JSON (pull, push, load, import). A failure before the first line is
 * an HTTP error; after it, it is the last line, as docker does it.
 */
export async function sendProgress(call: Call, run: (progress: ProgressSink, signal: AbortSignal) => Promise<void>): Promise<void> {
  const { response } = call;
  const progress = (message: ProgressMessage): void => {
    if (!response.headersSent) call.begin('application/json');
    const isBar = message.progressDetail?.current !== undefined;
    if (isBar && response.writableLength > progressBacklogBytes) return;
    response.write(`${JSON.stringify(message)}\r\n`);
  };
  try {
    await run(progress, call.signal);
  } catch (error) {
    if (!response.headersSent) throw error;
    const { status, message } = failureOf(error);
    if (status >= 500) call.logger.warn(`${call.request.method} ${call.request.url}: ${message}`);
    progress({ errorDetail: { message }, error: message });
  }
  if (!response.headersSent) call.begin('application/json');
  response.end();
}

/** Sends a byte stream; when it breaks, so does the connection: the client must not take the part for the whole. */
export async function sendBytes(call: Call, contentType: string, source: Readable): Promise<void> {
  const { response } = call;
  try {
    call.begin(contentType);
    for await (const chunk of source) {
      if (call.signal.aborted) return;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  } catch (error) {
    call.logger.warn(`${call.request.method} ${call.request.url} broke off: ${messageOf(error)}`);
    response.destroy();
  } finally {
    source.destroy();
  }
}

/** Output of a container's log as the body of an answer, multiplexed or (of a terminal) raw. Its head goes out with the first output. */
export class BodySink implements OutputSink {
  readonly #call: Call;
  readonly #multiplexed: boolean;
  readonly #contentType: string;

  constructor(call: Call, multiplexed: boolean, contentType: string) {
    this.#call = call;
    this.#multiplexed = multiplexed;
    this.#contentType = contentType;
  }

  begin(): void {
    const { response } = this.#call;
    if (!response.headersSent && !response.destroyed) this.#call.begin(this.#contentType);
  }

  write(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined {
    const { response } = this.#call;
    this.begin();
    if (response.destroyed || response.writableEnded) return undefined;
    const bytes = this.#multiplexed ? makeFrame(stream, chunk) : Buffer.from(chunk);
    return response.write(bytes) ? undefined : drained(response);
  }

  end(): void {
    this.begin();
    if (!this.#call.response.writableEnded) this.#call.response.end();
  }

  fail(error: Error): void {
    this.begin();
    const { response } = this.#call;
    if (response.destroyed || response.writableEnded) return;
    if (!this.#multiplexed) {
      response.destroy();
      return;
    }
    response.write(makeFrame(systemErrorStream, Buffer.from(error.message)));
    response.end();
  }
}

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { EngineError, isRecord, type OutputSink, type OutputStream, type ProcessSession } from '../../base/index.ts';
import { isHungUp } from '../../linux/index.ts';
import { frameHeaderBytes, makeFrame, systemErrorStream, writeFrameHeader } from './frame.ts';
import { defaultWireLimits } from './limits.ts';

/** The largest frame: beyond it output is split, so that the scratch buffer has a bound. */
const framePayloadMax = 256 * 1024;
/** The scratch buffer's first size: most sessions say little. */
const scratchBytesFirst = 4 * 1024;

/** How often a client that has ended its input is looked for. */
const hangupCheckMs = 1_000;

export interface HijackOptions {
  /** Everything before the blank line of the answer's head, sent with the first output or by `open`. */
  readonly head: string;
  /** Frames around the output (a process without a terminal); else it is raw. */
  readonly multiplexed: boolean;
  readonly lingerMs?: number;
}

/**
 * A connection that has become a byte stream (docker's attach and exec): output out, input in, each with its own end.
 *
 * Backpressure: `write` gives a promise unless the kernel took everything; input is not read while the process cannot take it.
 * Neither direction holds more than one chunk, so memory stays flat whatever the peer does.
 */
export class HijackedStream implements OutputSink {
  readonly #socket: Socket;
  readonly #options: HijackOptions;
  #scratch = Buffer.alloc(0);
  readonly #gone = new AbortController();
  /** False where the descriptor is out of sight from the start. */
  readonly #hadDescriptor: boolean;
  #pendingWrites = 0;
  #opened = false;
  #ended = false;

  /** Takes over the socket. Nothing is sent yet, and nothing read. */
  constructor(socket: Socket, options: HijackOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#hadDescriptor = descriptorOf(socket) !== undefined;
    socket.pause();
    // node:http's parser, where there was no upgrade; it must not see the raw bytes.
    socket.removeAllListeners('data');
    socket.removeAllListeners('end');
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.once('close', () => this.#gone.abort());
    if (socket.destroyed) this.#gone.abort();
  }

  /** Aborts when the client is gone. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Sends the answer's head. */
  open(): void {
    if (this.#opened) return;
    this.#opened = true;
    if (this.#socket.writable) this.#socket.write(`${this.#options.head}\r\n\r\n`);
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** Answers with something else than a stream, and closes. */
  refuse(answer: string): void {
    this.#opened = true;
    if (this.#socket.writable) this.#socket.write(answer);
    this.end();
  }

  write(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined {
    if (chunk.length === 0 || this.#ended) return undefined;
    this.open();
    if (!this.#options.multiplexed) return this.#send(chunk);
    return this.#writeFrames(stream, chunk, 0);
  }

  /** Writes frames from `at` on for as long as the kernel takes them at once. */
  #writeFrames(stream: OutputStream, chunk: Uint8Array, at: number): Promise<void> | undefined {
    for (let from = at; from < chunk.length; ) {
      const payload = chunk.subarray(from, from + framePayloadMax);
      from += payload.length;
      const wait = this.#send(this.#frame(stream, payload));
      if (wait !== undefined) return from >= chunk.length ? wait : wait.then(() => this.#writeFrames(stream, chunk, from));
    }
    return undefined;
  }

  /** One copy into memory that is used again: cheaper than two system calls for header and payload. */
  #frame(stream: OutputStream, payload: Uint8Array): Buffer {
    if (this.#pendingWrites > 0) return makeFrame(stream, payload);
    const size = frameHeaderBytes + payload.length;
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafe(Math.max(scratchBytesFirst, size));
    writeFrameHeader(this.#scratch, stream, payload.length);
    this.#scratch.set(payload, frameHeaderBytes);
    return this.#scratch.subarray(0, size);
  }

  /** Undefined when the kernel has all of it; else a promise for that (or for the connection's end). */
  #send(bytes: Uint8Array): Promise<void> | undefined {
    const socket = this.#socket;
    if (!socket.writable) return undefined;
    let settle: (() => void) | undefined;
    let done = false;
    this.#pendingWrites++;
    socket.write(bytes, () => {
      this.#pendingWrites--;
      done = true;
      settle?.();
    });
    if (done || socket.writableLength === 0) return undefined;
    return new Promise((resolve) => {
      settle = resolve;
      // Bun does not call a write's callback when the socket is destroyed under it.
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Output is over: half-closes; the client has a while to close its side, what it still sends is dropped. */
  end(): void {
    if (this.#ended) return;
    this.open();
    this.#ended = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.end();
    const timer = setTimeout(() => socket.destroy(), this.#options.lingerMs ?? defaultWireLimits.lingerMs);
    socket.once('close', () => clearTimeout(timer));
    if (socket.readableEnded) socket.destroySoon();
    else socket.once('end', () => socket.destroySoon());
    socket.resume();
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.open();
    if (this.#options.multiplexed && this.#socket.writable) this.#socket.write(makeFrame(systemErrorStream, Buffer.from(error.message)));
    this.end();
  }

  /** Feeds the client's input to the process until either is over. `stdin` false: input is read (to see the client leave) and dropped. */
  async run(session: ProcessSession, stdin: boolean): Promise<void> {
    this.open();
    const socket = this.#socket;
    /** Settles when the process has taken the last chunk. */
    let accepting: Promise<void> | undefined;
    socket.on('data', (chunk: Buffer) => {
      if (!stdin || this.#ended) return;
      const wait = this.#guarded(() => session.writeInput(chunk));
      if (wait === undefined) return;
      socket.pause();
      const resume = (): void => {
        accepting = undefined;
        socket.resume();
      };
      accepting = wait.then(resume, resume);
    });
    let inputOpen = stdin;
    const closeInput = (): void => {
      if (inputOpen) this.#guarded(() => session.closeInput());
      inputOpen = false;
    };
    let watch: ReturnType<typeof setInterval> | undefined;
    const inputEnded = (): void => {
      // Bun may tell the end while the socket is paused.
      if (accepting === undefined) closeInput();
      else void accepting.then(closeInput);
      // A client that is gone looks like one that only closed its output; left alone, the session would wait for output to fail.
      const look = (): void => {
        const fd = descriptorOf(socket);
        if (this.#hadDescriptor && (fd === undefined || isHungUp(fd))) socket.destroy();
      };
      watch = setInterval(look, hangupCheckMs);
      watch.unref();
      look();
    };
    if (socket.readableEnded) inputEnded();
    else socket.once('end', inputEnded);
    const leave = (): void => {
      closeInput();
      this.#guarded(() => session.detach());
    };
    this.signal.addEventListener('abort', leave, { once: true });
    if (this.signal.aborted) leave();
    socket.resume();
    try {
      await session.closed;
    } finally {
      // The client's end that comes now ends nothing any more: its watch would never be cleared.
      socket.off('end', inputEnded);
      clearInterval(watch);
      this.signal.removeEventListener('abort', leave);
      this.end();
    }
  }

  /** Called from the socket's events, where an exception would end the daemon: it ends this connection. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}

/** A socket's descriptor; undefined once Bun has closed it, which it does at a hang-up without an event when the input had ended. */
function descriptorOf(socket: Socket): number | undefined {
  const handle = '_handle' in socket ? socket._handle : undefined;
  return isRecord(handle) && typeof handle['fd'] === 'number' && handle['fd'] >= 0 ? handle['fd'] : undefined;
}

/**
 * The body of an upgrade request: exactly Content-Length bytes from what the parser had read (`head`) and from the socket; what
 * follows is put back. Bun gives it neither by `request` nor apart.
 * @throws invalidArgument, tooLarge
 */
export async function readUpgradeBody(
  request: IncomingMessage, socket: Socket, head: Buffer, limitBytes: number, signal: AbortSignal,
): Promise<Buffer> {
  if (request.headers['transfer-encoding'] !== undefined) {
    throw new EngineError('invalidArgument', 'cannot upgrade a request with Transfer-Encoding: send its body with Content-Length');
  }
  const declared = Number(request.headers['content-length'] ?? '0');
  if (declared > limitBytes) throw new EngineError('tooLarge', `request body too large: ${declared} bytes, at most ${limitBytes} are allowed`);
  const parts: Buffer[] = [];
  let got = 0;
  const take = (chunk: Buffer): void => {
    const wanted = chunk.subarray(0, declared - got);
    if (wanted.length > 0) parts.push(wanted);
    got += wanted.length;
    if (wanted.length < chunk.length) socket.unshift(chunk.subarray(wanted.length));
  };
  socket.pause();
  if (head.length > 0) take(head);
  if (got < declared) {
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: Error): void => {
        socket.pause();
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onData = (chunk: Buffer): void => {
        socket.pause();
        take(chunk);
        if (got >= declared) finish();
        else socket.resume();
      };
      const onEnd = (): void => finish(new EngineError('invalidArgument', `request body ended after ${got} of ${declared} bytes`));
      const onAbort = (): void => finish(new EngineError('timeout', 'the request body did not come in time'));
      socket.on('data', onData).on('end', onEnd).on('close', onEnd);
      signal.addEventListener('abort', onAbort, { once: true });
      socket.resume();
    });
  }
  return Buffer.concat(parts);
}

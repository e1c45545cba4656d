import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FrameScanner, type FrameVisitor } from './h2-frames.ts';
import { StreamWindows } from './h2-windows.ts';

/** `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, section 3.4). */
const prefaceBytes = 24;

/**
 * Stands between a client's socket and Bun's HTTP/2 server: bytes pass through both ways, with what StreamWindows adds, and it looks
 * like the socket to who asks for addresses or the TLS peer. Backpressure is the socket's.
 */
export class WindowShim extends Duplex {
  readonly #socket: Socket;
  readonly #windows = new StreamWindows();
  readonly #inbound = new FrameScanner(this.#windows, prefaceBytes);
  readonly #outbound: FrameScanner;
  readonly encrypted: boolean;

  /** `head`: what was read of the connection already. */
  constructor(socket: Socket, head: Buffer) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.encrypted = socket instanceof TLSSocket;
    this.#outbound = new FrameScanner(watcher(this.#windows), 0);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    this.#receive(head);
  }

  #receive(chunk: Buffer): void {
    try {
      let more = true;
      for (const piece of this.#inbound.scan(chunk)) more = this.push(piece);
      if (!more) this.#socket.pause();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#outbound.scan(chunk);
    this.#socket.write(chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }

  // --- what node:http2 and grpc-js ask of a socket ---

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  /** True when the TLS peer's certificate was verified. */
  get authorized(): boolean {
    return this.#socket instanceof TLSSocket && this.#socket.authorized;
  }

  /** What the preface has said; a TLS client need not have negotiated it. Bun answers 403 to anything else. */
  get alpnProtocol(): string {
    return 'h2';
  }

  /** The TLS peer's certificate; empty without TLS, as node has it for a peer that sent none. */
  getPeerCertificate(detailed?: boolean): object {
    if (!(this.#socket instanceof TLSSocket)) return {};
    return detailed === true ? this.#socket.getPeerCertificate(true) : this.#socket.getPeerCertificate();
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(on?: boolean): this {
    this.#socket.setNoDelay(on);
    return this;
  }

  setKeepAlive(on?: boolean, delayMs?: number): this {
    this.#socket.setKeepAlive(on, delayMs);
    return this;
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }
}

/** Of what goes out only the frame headers matter. */
function watcher(windows: StreamWindows): FrameVisitor {
  return {
    begin(head) {
      windows.sent(head);
      return false;
    },
    captured: (_head, frame) => frame,
    passed: () => undefined,
  };
}

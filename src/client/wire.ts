import { readFileSync } from 'node:fs';
import type { Socket } from 'bun';
import { EngineError, messageOf } from '../base/index.ts';
import type { Endpoint, TlsOptions } from './endpoint.ts';

/** Beyond this much unread input the socket is paused, below the second it goes on. */
const pauseAboveBytes = 512 * 1024;
const resumeBelowBytes = 128 * 1024;
/** A unix socket answers at once; a TCP host that drops packets must not hang the command for ever. */
const connectTimeoutMs = 30_000;

const unreachable = 'Can not connect with server. Is the iSulad daemon running on the host?';

/**
 * One byte stream to the daemon, with backpressure both ways. Why not node:http or node:net: loading them costs 4 to 8 ms
 * of the command line's start (measured, docs/architecture.md), and a hijacked stream needs the raw socket anyway.
 */
export class Wire {
  #socket: Socket | undefined;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #paused = false;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #onReadable: (() => void) | undefined;
  #onDrain: (() => void) | undefined;

  /** @throws unavailable when nobody listens there, or TLS fails. */
  static async open(endpoint: Endpoint): Promise<Wire> {
    const wire = new Wire();
    const opened = Promise.withResolvers<void>();
    const socket = {
      open: (connected: Socket) => {
        wire.#socket = connected;
        if (endpoint.kind === 'unix' || endpoint.tls === undefined) opened.resolve();
      },
      handshake: (_connected: Socket, success: boolean, failure: Error | null) => {
        const verify = endpoint.kind === 'tcp' && endpoint.tls?.verify === true;
        if (!success || (verify && failure !== null)) {
          opened.reject(new Error(`TLS handshake failed: ${failure === null ? 'refused' : failure.message}`));
        }
        else opened.resolve();
      },
      data: (_connected: Socket, chunk: Uint8Array) => wire.#receive(chunk),
      drain: () => wire.#drained(),
      end: () => wire.#finish(),
      close: () => {
        opened.reject(new Error('connection closed'));
        wire.#closed = true;
        wire.#finish();
      },
      error: (_connected: Socket, error: Error) => wire.#fail(error),
      connectError: (_connected: Socket, error: Error) => opened.reject(error),
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      if (endpoint.kind === 'unix') {
        Bun.connect({ unix: endpoint.path, allowHalfOpen: true, socket }).catch((error: unknown) => opened.reject(error));
      } else {
        timer = setTimeout(() => opened.reject(new Error('connect timed out')), connectTimeoutMs);
        const tls = endpoint.tls === undefined ? {} : { tls: readTls(endpoint.tls, endpoint.hostname) };
        Bun.connect(
          { hostname: endpoint.hostname, port: endpoint.port, allowHalfOpen: true, socket, ...tls },
        ).catch((error: unknown) => opened.reject(error));
      }
      await opened.promise;
    } catch (error) {
      wire.close();
      if (error instanceof EngineError) throw error;
      const detail = endpoint.kind === 'unix' ? '' : ` (tcp://${endpoint.hostname}:${endpoint.port}: ${messageOf(error)})`;
      throw new EngineError('unavailable', unreachable + detail, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    return wire;
  }

  /** The next bytes as they come; undefined at the peer's end. @throws unavailable when the connection broke. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#queuedBytes -= chunk.length;
        if (this.#paused && this.#queuedBytes < resumeBelowBytes && !this.#closed) {
          this.#paused = false;
          this.#socket?.resume();
        }
        return chunk;
      }
      if (this.#error !== undefined) {
        throw new EngineError('unavailable', `Connection to the iSulad daemon broke: ${this.#error.message}`, { cause: this.#error });
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#onReadable = resolve;
      });
    }
  }

  /** Puts bytes back in front of what `read` gives next. */
  unread(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.#queuedBytes += chunk.length;
  }

  /** Resolves when the kernel took all of it. @throws unavailable when the peer is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    for (;;) {
      if (this.#closed || this.#socket === undefined) {
        throw new EngineError('unavailable', 'Connection to the iSulad daemon broke: closed by the daemon');
      }
      const written = this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
      if (written < 0) throw new EngineError('unavailable', 'Connection to the iSulad daemon broke: closed by the daemon');
      at += written;
      if (at >= bytes.length) return;
      await new Promise<void>((resolve) => {
        this.#onDrain = resolve;
      });
    }
  }

  /** Ends our direction; the peer can still send. Bun's `shutdown(true)` would end the other one. */
  shutdown(): void {
    if (!this.#closed) this.#socket?.shutdown();
  }

  /** True when the connection can carry another request. */
  get usable(): boolean {
    return !this.#ended && !this.#closed && this.#error === undefined && this.#chunks.length === 0;
  }

  close(): void {
    this.#closed = true;
    this.#socket?.terminate();
    this.#finish();
  }

  #receive(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    if (!this.#paused && this.#queuedBytes > pauseAboveBytes) {
      this.#paused = true;
      this.#socket?.pause();
    }
    this.#wake();
  }

  #finish(): void {
    this.#ended = true;
    this.#wake();
    this.#drained();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#finish();
  }

  #wake(): void {
    const wake = this.#onReadable;
    this.#onReadable = undefined;
    wake?.();
  }

  #drained(): void {
    const wake = this.#onDrain;
    this.#onDrain = undefined;
    wake?.();
  }
}

function readTls(tls: TlsOptions, hostname: string): { ca?: string; cert?: string; key?: string; rejectUnauthorized: boolean; serverName: string } {
  const read = (what: string, path: string | undefined): string | undefined => {
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new EngineError('invalidArgument', `Cannot read ${what} ${path}: ${messageOf(error)}`, { cause: error });
    }
  };
  const ca = tls.verify ? read('TLS CA certificate', tls.caPath) : undefined;
  const cert = read('TLS certificate', tls.certPath);
  const key = read('TLS key', tls.keyPath);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: tls.verify,
    serverName: hostname,
  };
}

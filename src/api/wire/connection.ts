import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { errnoOf, type Logger } from '../../base/index.ts';
import { defaultWireLimits, type WireLimits } from './limits.ts';

export interface ConnectionHandlerOptions {
  /** Serves HTTP/1.1; it never listens itself. */
  readonly http: Server;
  /** Takes over a connection that speaks HTTP/2; `head` is what was read of it. */
  readonly grpc: (socket: Socket, head: Buffer) => void;
  readonly limits?: Partial<WireLimits>;
  readonly logger: Logger;
}

export interface ConnectionHandler {
  /** Takes an accepted connection (plain or TLS, `allowHalfOpen`). */
  handle(socket: Socket): void;
  /** Drops every connection. */
  close(): void;
}

/** The first bytes of the HTTP/2 connection preface (RFC 9113, section 3.4); no method of HTTP/1.1 begins like it. */
const prefaceStart = Buffer.from('PRI * HTTP/2.0\r\n');

/** head: part of a request's headers came, or nothing yet; busy: a request is served; raw: not HTTP/1.1 any more. */
type Phase = 'head' | 'busy' | 'idle' | 'raw';

interface Track {
  phase: Phase;
  /** When the phase began (performance.now). */
  since: number;
  /** Requests that are served; more than one with pipelining. */
  open: number;
}

/**
 * Tells HTTP/1.1 and HTTP/2 apart by the first bytes of an accepted connection and hands it on.
 *
 * Bun 1.4.5 has three faults that shape it: `http.listen()` hangs upgrade requests, so node:http is given sockets by its
 * 'connection' event; read bytes can be given back (`unshift`) on that side only, so HTTP/2 gets them as `head`; and
 * node:http's own time-outs do nothing for such sockets, so they are kept here, one clock for all connections.
 */
export function createConnectionHandler(options: ConnectionHandlerOptions): ConnectionHandler {
  const limits = { ...defaultWireLimits, ...options.limits };
  const tracks = new Map<Socket, Track>();
  const { http, logger } = options;

  function enter(socket: Socket, phase: Phase): void {
    const track = tracks.get(socket);
    if (track === undefined) return;
    track.phase = phase;
    track.since = performance.now();
  }

  http.on('request', (request, response) => {
    const track = tracks.get(request.socket);
    if (track === undefined) return;
    track.open++;
    track.phase = 'busy';
    response.once('close', () => {
      if (--track.open === 0 && track.phase === 'busy') enter(request.socket, 'idle');
    });
  });
  http.on('upgrade', (request) => enter(request.socket, 'raw'));
  http.on('clientError', (error, socket) => refuse(socket, error));

  function sweep(): void {
    const now = performance.now();
    for (const [socket, { phase, since }] of tracks) {
      if (phase === 'head' && now - since > limits.headerMs) answerAndClose(socket, '408 Request Timeout', 'the request did not come in time');
      else if (phase === 'idle' && now - since > limits.idleMs) socket.destroy();
    }
  }
  const timer = setInterval(sweep, limits.sweepMs);
  timer.unref();

  function toHttp(socket: Socket, head: Buffer): void {
    socket.unshift(head);
    http.emit('connection', socket);
    socket.on('data', () => {
      if (tracks.get(socket)?.phase === 'idle') enter(socket, 'head');
    });
    socket.resume();
  }

  function handle(socket: Socket): void {
    if (tracks.size >= limits.connectionsMax) {
      socket.on('error', () => undefined);
      answerAndClose(socket, '503 Service Unavailable', `too many connections: ${limits.connectionsMax} are open`);
      return;
    }
    tracks.set(socket, { phase: 'head', since: performance.now(), open: 0 });
    socket.setKeepAlive(true, 30_000);
    socket.on('close', () => tracks.delete(socket));
    // A reset by the client is its right; whoever serves the connection sees 'close'.
    socket.on('error', (error) => logger.debug(`Connection ended: ${error.message}`));
    let seen: Buffer = Buffer.alloc(0);
    const onEnd = (): void => {
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const compared = Math.min(seen.length, prefaceStart.length);
      const maybeHttp2 = seen.subarray(0, compared).equals(prefaceStart.subarray(0, compared));
      if (maybeHttp2 && compared < prefaceStart.length) return;
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
      if (!maybeHttp2) return toHttp(socket, seen);
      enter(socket, 'raw');
      options.grpc(socket, seen);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
  }

  return {
    handle,
    close() {
      clearInterval(timer);
      for (const socket of tracks.keys()) socket.destroy();
    },
  };
}

interface ClosableSocket {
  readonly writable: boolean;
  end(data: string): unknown;
  destroy(): unknown;
}

/** Answers what node:http could not parse. */
function refuse(socket: ClosableSocket, error: Error): void {
  const code = errnoOf(error) ?? '';
  if (code === 'HPE_HEADER_OVERFLOW') answerAndClose(socket, '431 Request Header Fields Too Large', 'the request headers are too large');
  else if (code.startsWith('HPE_')) answerAndClose(socket, '400 Bad Request', `malformed request: ${error.message.replace(/^Parse Error: /, '')}`);
  else socket.destroy();
}

/** How long a refused client has to read why. */
const refusalMs = 1_000;

function answerAndClose(socket: ClosableSocket, status: string, message: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ message });
  const head = [`HTTP/1.1 ${status}`, 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), refusalMs).unref();
}

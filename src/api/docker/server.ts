import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EngineError, isEngineError, type Logger, messageOf } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import { defaultWireLimits } from '../wire/index.ts';
import { Call } from './call.ts';
import { badRequest, failureOf } from './errors.ts';
import { Query } from './query.ts';
import { Router } from './router.ts';
import { routes } from './routes.ts';
import { maxApiVersion } from './version.ts';

export interface DockerServerOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** Shown in the Server header. */
  readonly version: string;
}

/** Requests that become byte streams (moby: attach, exec start). Any other `Upgrade` header is ignored, as HTTP wants it. */
const hijackPath = /^(?:\/v[\d.]+)?\/(?:containers\/[^/?]+\/attach|exec\/[^/?]+\/start)(?:\?|$)/;

function wantsHijack(request: IncomingMessage): boolean {
  return request.method === 'POST' && request.headers.upgrade?.toLowerCase() === 'tcp' && hijackPath.test(request.url ?? '');
}

/** What Bun's node:http takes beyond its type declarations. */
interface ServerOptions {
  maxHeaderSize: number;
  requireHostHeader: boolean;
  shouldUpgradeCallback: (request: IncomingMessage) => boolean;
}

/** The Docker Engine API as an HTTP server that does not listen: connections come by its 'connection' event. */
export function createDockerServer({ engine, logger, version }: DockerServerOptions): Server {
  const router = new Router(routes);
  const options: ServerOptions = { maxHeaderSize: defaultWireLimits.headerBytesMax, requireHostHeader: false, shouldUpgradeCallback: wantsHijack };
  const headers = { 'Api-Version': maxApiVersion, 'Docker-Experimental': 'false', Ostype: 'linux', Server: `iSulad/${version} (linux)` };

  function serve(request: IncomingMessage, response: ServerResponse, upgrade?: { socket: Socket; head: Buffer }): void {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    // Clients come over a local socket, or with long-lived connections of their own: the connection handler keeps the clock.
    response.on('error', (error) => logger.debug(`Answer broke off: ${error.message}`));
    dispatch(request, response, upgrade).catch((error: unknown) => logger.error(`${request.method} ${request.url}: ${messageOf(error)}`));
  }

  async function dispatch(request: IncomingMessage, response: ServerResponse, upgrade?: { socket: Socket; head: Buffer }): Promise<void> {
    let call: Call | undefined;
    try {
      const url = request.url ?? '/';
      if (url.includes('%00')) throw badRequest('malformed path: it holds a NUL character');
      const cut = url.indexOf('?');
      const path = cut < 0 ? url : url.slice(0, cut);
      const match = router.find(request.method ?? '', path);
      if (match === undefined) throw new EngineError('notFound', 'page not found');
      const query = new Query(cut < 0 ? '' : url.slice(cut + 1));
      call = new Call({ engine, logger, request, response, version: match.version, query, parameters: match.parameters, upgrade });
      await match.route.handler(call);
    } catch (error) {
      if (!isEngineError(error) || error.code === 'internal') logger.error(`${request.method} ${request.url}: ${describe(error)}`);
      answerError(request, response, error);
    }
    if (upgrade !== undefined && call?.hijacked !== true) closeAfterAnswer(response, upgrade.socket);
  }

  const server = createServer(options, serve);
  server.on('upgrade', (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
    if (!(duplex instanceof Socket)) {
      duplex.destroy();
      return;
    }
    const response = new ServerResponse(request);
    response.assignSocket(duplex);
    response.setHeader('Connection', 'close');
    serve(request, response, { socket: duplex, head });
  });
  return server;
}

function describe(error: unknown): string {
  if (isEngineError(error)) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function answerError(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, message } = failureOf(error);
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) response.removeHeader(name);
  // The rest of a body that nobody will read must not be taken for the next request, nor be waited for.
  if (!request.complete) response.setHeader('Connection', 'close');
  if (status === 304) {
    response.writeHead(status);
    response.end();
    return;
  }
  const body = Buffer.from(`${JSON.stringify({ message })}\n`);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': String(body.length) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function closeAfterAnswer(response: ServerResponse, socket: Socket): void {
  const close = (): void => {
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), defaultWireLimits.lingerMs).unref();
  };
  if (response.writableFinished) close();
  else response.once('finish', close);
}

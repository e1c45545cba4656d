import type { Socket } from 'node:net';
import { buildVersion, type Logger, messageOf } from '../base/index.ts';
import type { Engine } from '../engine/index.ts';
import type { CriServer } from './cri/index.ts';
import { createDockerServer } from './docker/index.ts';
import { createConnectionHandler, type WireLimits } from './wire/index.ts';

export interface ApiOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly limits?: Partial<WireLimits>;
}

export interface Api {
  /** Serves an accepted connection, plain or TLS: Docker Engine API (HTTP/1.1) and CRI (gRPC), told apart by the first bytes. */
  handleConnection(socket: Socket): void;
  /** Drops every connection. */
  close(): Promise<void>;
}

/** The daemon's one front: gRPC is loaded with the first connection that needs it (20 MB of memory, 60 ms). */
export function serveApi({ engine, logger, limits = {} }: ApiOptions): Api {
  const http = createDockerServer({ engine, logger, version: buildVersion });
  let cri: Promise<CriServer> | undefined;

  async function loadCri(): Promise<CriServer> {
    const { createCriServer } = await import('./cri/index.ts');
    return createCriServer({ engine, logger });
  }

  function grpc(socket: Socket, head: Buffer): void {
    cri ??= loadCri();
    cri.then((server) => server.accept(socket, head)).catch((error: unknown) => {
      logger.error(`Cannot serve gRPC: ${messageOf(error)}`);
      socket.destroy();
    });
  }

  const connections = createConnectionHandler({ http, grpc, limits, logger });
  return {
    handleConnection: (socket) => connections.handle(socket),
    async close() {
      connections.close();
      (await cri?.catch(() => undefined))?.close();
    },
  };
}

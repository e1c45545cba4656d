/** What the tests of the API share: an engine that refuses what a test does not define, a server of its own, a raw client. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { serveApi, type ApiOptions } from '../src/api/index.ts';
import { silentLogger } from '../src/base/index.ts';
import type { ContainerOperations, Engine, SystemOperations, VolumeOperations } from '../src/engine/index.ts';
import type { ImageService } from '../src/images/index.ts';

export interface EngineParts {
  containers?: Partial<ContainerOperations>;
  images?: Partial<ImageService>;
  volumes?: Partial<VolumeOperations>;
  system?: Partial<SystemOperations>;
}

const unused = (): never => {
  throw new Error('the test does not expect this call');
};

/** An engine of which only the given parts work. */
export function engineOf(parts: EngineParts): Engine {
  return {
    containers: {
      create: unused, inspect: unused, list: unused, start: unused, stop: unused, restart: unused, kill: unused, pause: unused, unpause: unused,
      wait: unused, remove: unused, rename: unused, update: unused, top: unused, stats: unused, logs: unused, hasTty: unused, attach: unused,
      resize: unused, execCreate: unused, execStart: unused, execInspect: unused, execResize: unused, changes: unused, export: unused,
      archiveStat: unused, archiveGet: unused, archivePut: unused, commit: unused, prune: unused, ...parts.containers,
    },
    images: {
      resolve: unused, get: unused, list: unused, count: unused, configBytes: unused, tag: unused, remove: unused, prune: unused, history: unused,
      import: unused, load: unused, save: unused, commit: unused, pull: unused, push: unused, login: unused, logout: unused, search: unused,
      distribution: unused, bind: unused, collectLayers: unused, recover: unused, check: unused, close: unused, openRemoteArchive: unused,
      ...parts.images,
    },
    volumes: { create: unused, list: unused, inspect: unused, remove: unused, prune: unused, ...parts.volumes },
    system: { info: unused, version: unused, events: unused, diskUsage: unused, check: unused, ...parts.system },
    recover: unused,
    close: unused,
  };
}

export interface ApiServer extends AsyncDisposable {
  readonly path: string;
  connect(): RawClient;
  fetch(method: string, path: string, init?: { json?: unknown; body?: string; headers?: Record<string, string> }): Promise<Response>;
}

/** Serves an engine on a unix socket of its own. */
export async function serve(parts: EngineParts, limits: ApiOptions['limits'] = {}): Promise<ApiServer> {
  const dir = mkdtempSync('/tmp/isula-api-');
  const path = join(dir, 's');
  const api = serveApi({ engine: engineOf(parts), logger: silentLogger, limits });
  const server = createServer({ allowHalfOpen: true }, (socket) => api.handleConnection(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const clients: RawClient[] = [];
  return {
    path,
    connect() {
      const client = new RawClient(connect({ path, allowHalfOpen: true }));
      clients.push(client);
      return client;
    },
    fetch(method, url, init = {}) {
      const headers = { 'Content-Type': 'application/json', ...init.headers };
      const json = init.json === undefined ? {} : { body: JSON.stringify(init.json), headers };
      return fetch(`http://d${url}`, { ...init, ...json, method, unix: path });
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await api.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Bytes out, bytes in, each half closed on its own. */
export class RawClient {
  #got: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void)[] = [];

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#got = Buffer.concat([this.#got, chunk]);
      this.#notify();
    });
    const end = (): void => {
      this.#ended = true;
      this.#notify();
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  send(data: string | Uint8Array): this {
    this.socket.write(data);
    return this;
  }

  endInput(): this {
    this.socket.end();
    return this;
  }

  destroy(): void {
    this.socket.destroy();
  }

  get received(): Buffer {
    return this.#got;
  }

  /** Waits until the bytes so far hold the text; gives them and forgets them. */
  async until(text: string): Promise<string> {
    while (!this.#got.includes(text)) {
      if (this.#ended) throw new Error(`the connection ended before ${JSON.stringify(text)}, after ${JSON.stringify(this.#got.toString('latin1'))}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    const got = this.#got.toString('latin1');
    this.#got = Buffer.alloc(0);
    return got;
  }

  /** Everything up to the server's end. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.#got;
  }
}

/** A promise that a test settles. */
export function signalled<T = void>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  return Promise.withResolvers<T>();
}

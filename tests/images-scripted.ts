import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { tarOf } from './images-kit.ts';

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sends only so many bytes of the body; then closes, or with `stall` says nothing more. */
  readonly cutAfter?: number;
  readonly stall?: boolean;
  /** Closes without an answer. */
  readonly hangUp?: boolean;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** A registry that answers as the test says, byte for byte: what well-behaved servers never send. */
export class ScriptedRegistry implements AsyncDisposable {
  readonly requests: Asked[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly host: string,
  ) {}

  static start(script: (asked: Asked) => Answer | undefined): Promise<ScriptedRegistry> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address !== 'object' || address === null) return reject(new Error('no address'));
        const registry = new ScriptedRegistry(server, `127.0.0.1:${address.port}`);
        server.on('connection', (socket) => registry.#serve(socket, script));
        return resolve(registry);
      });
    });
  }

  #serve(socket: Socket, script: (asked: Asked) => Answer | undefined): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) {
        // A TLS hello is no HTTP: end it, so that the client tries plain HTTP.
        if (text.charCodeAt(0) === 0x16) socket.destroy();
        return;
      }
      const [first = '', ...lines] = text.slice(0, end).split('\r\n');
      text = '';
      const [method = '', path = ''] = first.split(' ');
      const asked = { method, path, headers: new Map(
        lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
      ) };
      this.requests.push(asked);
      answer(socket, method, script(asked) ?? (path === '/v2/' ? {} : { status: 404 }));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function answer(socket: Socket, method: string, { status = 200, headers = {}, body = '', cutAfter, stall, hangUp }: Answer): void {
  if (hangUp === true) {
    socket.destroy();
    return;
  }
  const bytes = Buffer.from(body);
  const all: Record<string, string> = { 'content-length': String(bytes.length), connection: 'close', ...headers };
  socket.write(`HTTP/1.1 ${status} x\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  if (method === 'HEAD') socket.end();
  else if (cutAfter === undefined) socket.end(bytes);
  else socket.write(bytes.subarray(0, cutAfter), () => (stall === true ? undefined : socket.destroy()));
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An image of one layer with everything a registry serves of it. */
export function sampleImage(content: string | Uint8Array = 'hello'): { tar: Buffer; layer: Buffer; config: string; manifest: string } {
  const tar = tarOf({ file: content });
  const layer = gzipSync(tar);
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } });
  return { tar, layer, config, manifest: manifestFor(config, [layer]) };
}

export function manifestFor(config: string, layers: readonly Uint8Array[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: Buffer.byteLength(config) },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf(layer), size: layer.length })),
  });
}

export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociIndex = 'application/vnd.oci.image.index.v1+json';

/** Serves documents by path suffix: manifests by tag or digest, blobs by digest. */
export function serve(image: { layer: Uint8Array; config: string; manifest: string }, asked: Asked): Answer | undefined {
  if (/\/manifests\/(latest|sha256:[0-9a-f]+)$/.test(asked.path)) {
    return { body: image.manifest, headers: { 'content-type': ociManifest, 'docker-content-digest': digestOf(image.manifest) } };
  }
  if (asked.path.endsWith(digestOf(image.config))) return { body: image.config };
  if (asked.path.endsWith(digestOf(image.layer))) return ranged(image.layer, asked);
  return undefined;
}

export function ranged(bytes: Uint8Array, asked: Asked): Answer {
  const [, from] = /^bytes=(\d+)-$/.exec(asked.headers.get('range') ?? '') ?? [];
  if (from === undefined) return { body: bytes };
  return { status: 206, body: bytes.subarray(Number(from)), headers: { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } };
}

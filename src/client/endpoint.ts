import { EngineError } from '../base/index.ts';

/** Where the guide puts the daemon's socket (1.2.3.4). */
export const defaultHost = 'unix:///var/run/isulad.sock';
const defaultTlsPort = 2376;
const defaultPort = 2375;

/** TLS as the guide's client modes have it (1.2.3.5); paths of PEM files. */
export interface TlsOptions {
  /** Check the daemon's certificate (`--tlsverify`); false: encrypt only (`--tls`). */
  verify: boolean;
  caPath: string | undefined;
  certPath: string | undefined;
  keyPath: string | undefined;
}

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly hostname: string; readonly port: number; readonly tls: TlsOptions | undefined };

/**
 * Reads `unix:///path` or `tcp://host[:port]` (also `[::1]:port`).
 * @throws invalidArgument for any other form.
 */
export function parseEndpoint(host: string, tls: TlsOptions | undefined): Endpoint {
  if (host.startsWith('unix://')) {
    const path = host.slice('unix://'.length);
    if (!path.startsWith('/') || path.length > 107) {
      throw new EngineError('invalidArgument', `Invalid host ${JSON.stringify(host)}: a unix socket needs an absolute path of at most 107 bytes`);
    }
    return { kind: 'unix', path };
  }
  if (host.startsWith('tcp://')) {
    const found = /^(\[[0-9a-fA-F:.%]+\]|[^:[\]/]+)?(?::(\d{1,5}))?\/?$/.exec(host.slice('tcp://'.length));
    if (found !== null) {
      const hostname = (found[1] ?? '127.0.0.1').replace(/^\[|\]$/g, '');
      const port = found[2] === undefined ? (tls === undefined ? defaultPort : defaultTlsPort) : Number(found[2]);
      if (port >= 1 && port <= 65535) return { kind: 'tcp', hostname, port, tls };
    }
  }
  throw new EngineError('invalidArgument', `Invalid host ${JSON.stringify(host)}: want unix:///path/of/socket or tcp://address:port`);
}

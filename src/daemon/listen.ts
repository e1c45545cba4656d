import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { EngineError, ensureDir, errnoOf, messageOf, type Logger } from '../base/index.ts';
import type { DaemonConfig, HostAddress } from './config/index.ts';

/** Queue of connections that wait to be accepted; the kernel caps it at net.core.somaxconn. */
const backlog = 1024;
/** How long an existing socket may take to show that someone listens. */
const probeMs = 2000;
/** TLS clients that say nothing: how long each may take to finish its handshake, and how many connections a TLS host has at once. */
const handshakeMs = 10_000;
const tlsConnectionsMax = 4096;

export interface Listeners extends AsyncDisposable {
  /** What is listened on, with the port that was found for port 0. */
  readonly addresses: readonly string[];
}

/** Opens every host of the configuration, or none. Each accepted socket allows half-open connections. */
export async function openListeners(config: DaemonConfig, onConnection: (socket: Socket) => void, logger: Logger): Promise<Listeners> {
  await using servers = new AsyncDisposableStack();
  const addresses: string[] = [];
  const options = { allowHalfOpen: true, noDelay: true };
  const gid = groupId(config, logger);
  for (const host of config.hosts) {
    const isTls = config.tls && host.kind === 'tcp';
    // The server's order decides: a client that could do both (curl) wants the Docker API, which speaks HTTP/1.1; gRPC's offer HTTP/2 alone.
    const tls = { ...options, ALPNProtocols: ['http/1.1', 'h2'], handshakeTimeout: handshakeMs };
    const server = isTls ? createTlsServer({ ...tls, ...tlsFiles(config) }, onConnection) : createServer(options, onConnection);
    if (isTls) {
      server.maxConnections = tlsConnectionsMax;
      // Bun reports a handshake that failed or took too long, and leaves the connection open.
      server.on('tlsClientError', (error: Error, socket: Socket) => {
        logger.debug(`TLS handshake on ${host.text} failed: ${error.message}`);
        socket.destroy();
      });
    }
    if (host.kind === 'unix') await listenUnix(server, host.path, gid);
    else await listenTcp(server, host);
    servers.defer(() => closed(server));
    server.on('error', (error) => logger.error(`Cannot accept on ${host.text}: ${error.message}`));
    addresses.push(shownAddress(server, host));
    if (host.kind === 'tcp' && !config.tlsVerify && host.host !== 'localhost' && !/^(?:127\.|::1$)/.test(host.host)) {
      logger.warn(`Anyone who reaches ${host.text} is root on this host: use --tlsverify`);
    }
  }
  const opened = servers.move();
  return { addresses, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The sockets that systemd opened for us (sd_listen_fds: descriptors 3 and up), when they are ours. */
export function inheritedDescriptors(env: Readonly<Record<string, string | undefined>>, pid: number): number[] {
  if (env['LISTEN_PID'] !== String(pid)) return [];
  const count = Number(env['LISTEN_FDS'] ?? '0');
  return Number.isInteger(count) && count > 0 && count <= 10 ? Array.from({ length: count }, (_, index) => 3 + index) : [];
}

/** Serves sockets that systemd opened, beside the configured hosts. */
export async function openInherited(descriptors: readonly number[], onConnection: (socket: Socket) => void, logger: Logger): Promise<Listeners> {
  await using servers = new AsyncDisposableStack();
  for (const fd of descriptors) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    await listening(server, { fd }, `inherited descriptor ${fd}`);
    servers.defer(() => closed(server));
    server.on('error', (error) => logger.error(`Cannot accept on inherited descriptor ${fd}: ${error.message}`));
  }
  const opened = servers.move();
  return { addresses: descriptors.map((fd) => `fd://${fd}`), [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function tlsFiles(config: DaemonConfig) {
  return {
    cert: pem(config.tlsCertFile, 'tlscert'),
    key: pem(config.tlsKeyFile, 'tlskey'),
    ...(config.tlsVerify ? { ca: pem(config.tlsCaFile, 'tlscacert'), requestCert: true, rejectUnauthorized: true } : {}),
  };
}

function pem(path: string, flag: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EngineError('invalidArgument', `cannot read --${flag} ${path}: ${messageOf(error)}`);
  }
}

async function listenTcp(server: Server, { host, port, text }: HostAddress & { kind: 'tcp' }): Promise<void> {
  await listening(server, { host, port, backlog }, text);
}

async function listenUnix(server: Server, path: string, gid: number): Promise<void> {
  ensureDir(dirname(path), 0o755);
  await removeStale(path);
  // Nobody but root may connect in the moment before the mode is set.
  const umask = process.umask(0o177);
  try {
    await listening(server, { path, backlog }, `unix://${path}`);
  } finally {
    process.umask(umask);
  }
  chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

/** Removes the socket of a daemon that died. @throws EngineError conflict when someone listens, or the file is something else. */
async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw new EngineError('conflict', `cannot listen on unix://${path}: the path is there and is no socket`);
  if (await isListening(path)) throw new EngineError('conflict', `cannot listen on unix://${path}: another process listens there`);
  unlinkSync(path);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const timer = setTimeout(() => settle(true), probeMs);
    const settle = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', (error) => settle(errnoOf(error) !== 'ECONNREFUSED' && errnoOf(error) !== 'ENOENT'));
  });
}

type Target = { fd: number } | { path: string; backlog: number } | { host: string; port: number; backlog: number };

function listening(server: Server, target: Target, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(new EngineError('conflict', `cannot listen on ${text}: ${error.message}`, { cause: error }));
    server.once('error', onError);
    server.listen(target, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** Stops accepting; connections that are open go on. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close();
    // The callback of close() would wait for the last connection.
    resolve();
  });
}

function shownAddress(server: Server, host: HostAddress): string {
  const address = server.address();
  if (host.kind === 'unix' || address === null || typeof address === 'string') return host.text;
  return host.text.replace(/[0-9]+$/, String(address.port));
}

/** The group's number from /etc/group; 0 when the default group is not there. @throws EngineError for a given group that is not. */
function groupId(config: DaemonConfig, logger: Logger): number {
  if (/^[0-9]+$/.test(config.group)) return Number(config.group);
  const line = readFileSync('/etc/group', 'utf8').split('\n').find((entry) => entry.startsWith(`${config.group}:`));
  const gid = line?.split(':')[2];
  if (gid !== undefined && /^[0-9]+$/.test(gid)) return Number(gid);
  if (config.isGroupGiven) {
    const where = `-G, or key "group" in ${config.configFile}`;
    throw new EngineError('invalidArgument', `group ${JSON.stringify(config.group)} of the unix sockets (${where}): no such group`);
  }
  logger.debug(`No group ${config.group}: only root can use the unix sockets`);
  return 0;
}

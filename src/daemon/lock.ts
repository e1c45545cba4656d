import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, ensureDir } from '../base/index.ts';
import { lockFile } from '../linux/index.ts';
import type { DaemonConfig } from './config/index.ts';

/**
 * Makes the daemon's directories and locks them and the pid file: two daemons never share one. Dispose on exit.
 * @throws EngineError conflict, naming what is in use and by whom.
 */
export function lockRoots(config: DaemonConfig): Disposable {
  using locks = new DisposableStack();
  ensureDir(dirname(config.pidfile), 0o755);
  const pidLock = take('pid file', config.pidfile, config.pidfile, 'pidfile');
  locks.defer(() => truncateSync(config.pidfile));
  locks.use(pidLock);
  // The graph root must let a container's user namespaces through to their own files below it, hence the x for others.
  ensureDir(config.graph, 0o711);
  locks.use(take('graph root', config.graph, join(config.graph, 'isulad.lock'), 'graph'));
  ensureDir(config.state, 0o711);
  locks.use(take('state root', config.state, join(config.state, 'isulad.lock'), 'state'));
  // Ours alone from here on: what an earlier daemon left in it is of no use to anyone (guide 1.2.3.3).
  rmSync(config.tmpDir, { recursive: true, force: true });
  ensureDir(config.tmpDir);
  return locks.move();
}

function take(what: string, path: string, file: string, flag: string): Disposable {
  const lock = lockFile(file);
  if (lock) return lock;
  const owner = readFileSync(file, 'utf8').trim();
  throw new EngineError(
    'conflict',
    `${what} ${path} is in use by ${owner === '' ? 'another isulad' : `process ${owner}`}: give this daemon its own --${flag}, or stop the other one`,
  );
}

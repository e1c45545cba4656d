import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, ensureDir } from '../base/index.ts';
import { lockFile, processStat } from '../linux/index.ts';
import type { DaemonConfig } from './config/index.ts';

/**
 * Makes the daemon's directories and locks them and the pid file: two daemons never share one. Dispose on exit.
 * @throws EngineError conflict, naming what is in use and by whom; forbidden for a root that other users may change.
 */
export function lockRoots(config: DaemonConfig): Disposable {
  using locks = new DisposableStack();
  ensureDir(dirname(config.pidfile), 0o755);
  locks.use(take('pid file', config.pidfile, config.pidfile, 'pidfile'));
  // The graph root must let a container's user namespaces through to their own files below it, hence the x for others.
  makeRoot('graph root', config.graph);
  locks.use(take('graph root', config.graph, join(config.graph, 'isulad.lock'), 'graph'));
  makeRoot('state root', config.state);
  locks.use(take('state root', config.state, join(config.state, 'isulad.lock'), 'state'));
  // Ours alone from here on: what an earlier daemon left in it is of no use to anyone (guide 1.2.3.3).
  rmSync(config.tmpDir, { recursive: true, force: true });
  ensureDir(dirname(config.tmpDir));
  // Not recursive: what another user put there meanwhile is not taken for ours.
  mkdirSync(config.tmpDir, { mode: 0o700 });
  return locks.move();
}

/** Whoever may write here could give containers and their images other contents: root alone may. */
function makeRoot(what: string, path: string): void {
  ensureDir(path, 0o711);
  const { uid, mode } = statSync(path);
  if (uid !== process.geteuid?.()) {
    throw new EngineError('forbidden', `${what} ${path} belongs to user ${uid}: isulad trusts only a directory of root's`);
  }
  if ((mode & 0o022) !== 0) {
    throw new EngineError('forbidden', `${what} ${path} may be written by others (mode ${(mode & 0o7777).toString(8)}): chmod go-w ${path}`);
  }
}

/** How long the lock of a daemon that is dead may last: a child that it was just starting has it until its program is loaded. */
const inheritedMs = 5000;

function take(what: string, path: string, file: string, flag: string): Disposable {
  const deadline = performance.now() + inheritedMs;
  let owner: string;
  do {
    const lock = lockFile(file);
    if (lock) return lock;
    owner = readFileSync(file, 'utf8').trim();
    if (isAlive(Number(owner))) break;
    Bun.sleepSync(10);
  } while (performance.now() < deadline);
  throw new EngineError(
    'conflict',
    `${what} ${path} is in use by ${owner === '' ? 'another isulad' : `process ${owner}`}: give this daemon its own --${flag}, or stop the other one`,
  );
}

function isAlive(pid: number): boolean {
  const state = pid > 0 ? processStat(pid)?.state : undefined;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

import { constants, Database } from 'bun:sqlite';
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { reserveBlocks } from '../linux/index.ts';

type Write = { apply: (db: Database) => void; resolve: () => void; reject: (error: unknown) => void };

/** The log is written over from its beginning once it has 1000 pages (SQLite's default): so much of it is set aside. */
const logReserveBytes = 4_608 * 1024;
/** Set aside behind the end of the file. */
const fileReserveBytes = 1024 * 1024;
/** Commits after which it is set aside anew. */
const reserveEvery = 256;

/**
 * The engine's one SQLite file: WAL, synchronous=FULL, so that a commit that was reported is on disk.
 *
 * Writes are grouped: all that are asked for before the next turn of the event loop go to disk in one transaction and
 * one flush. A write that fails is taken back alone (savepoint) and does not fail its neighbours.
 *
 * Blocks for coming writes are set aside: on a full disk exits are still recorded and what frees space can still be removed.
 */
export class StateDb implements Disposable {
  readonly #db: Database;
  #queue: Write[] = [];
  #scheduled = false;
  #commits = 0;

  constructor(readonly path: string) {
    // Records hold environments and with them secrets. SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    this.#db = new Database(path, { create: true, strict: true });
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-2000');
    // The log's blocks are kept over a stop of the daemon too.
    this.#db.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
    this.#reserve();
  }

  #reserve(): void {
    try {
      reserveBlocks(`${this.path}-wal`, logReserveBytes);
      reserveBlocks(this.path, statSync(this.path).size + fileReserveBytes);
    } catch (error) {
      // The first commit makes the log. A disk that is full already, or a file system that cannot do it, leaves us without.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  /** Reads, and start-up's own set-up; changes after start-up go through `write`. */
  get raw(): Database {
    return this.#db;
  }

  /** Applies a change; resolves once it is durable. */
  write(apply: (db: Database) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ apply, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    this.#scheduled = false;
    const batch = this.#queue;
    if (batch.length === 0) return;
    this.#queue = [];
    const done: Write[] = [];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const write of batch) {
        this.#db.exec('SAVEPOINT one');
        try {
          write.apply(this.#db);
          this.#db.exec('RELEASE one');
          done.push(write);
        } catch (error) {
          this.#db.exec('ROLLBACK TO one; RELEASE one');
          write.reject(stateError(error));
        }
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.inTransaction) {
        try {
          this.#db.exec('ROLLBACK');
        } catch {
          // SQLite has already rolled back by itself (a full disk does that).
        }
      }
      // Rejecting twice is harmless: a promise settles once.
      for (const write of batch) write.reject(stateError(error));
      return;
    }
    for (const write of done) write.resolve();
    if (this.#commits++ % reserveEvery === 0) this.#reserve();
  }

  [Symbol.dispose](): void {
    if (this.#queue.length > 0) this.#flush();
    this.#db.close();
  }
}

function stateError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const isFull = errnoOf(error) === 'SQLITE_FULL';
  const reason = isFull ? 'no space left on device' : messageOf(error);
  return new EngineError(isFull ? 'resourceExhausted' : 'internal', `Cannot write the engine's state: ${reason}`, { cause: error });
}

import { Database } from 'bun:sqlite';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { EngineError, messageOf } from '../base/index.ts';

type Write = { apply: (db: Database) => void; resolve: () => void; reject: (error: unknown) => void };

/**
 * The engine's one SQLite file: WAL, synchronous=FULL, so that a commit that was reported is on disk.
 *
 * Writes are grouped: all that are asked for before the next turn of the event loop go to disk in one transaction and
 * one flush. A write that fails is taken back alone (savepoint) and does not fail its neighbours.
 */
export class StateDb implements Disposable {
  readonly #db: Database;
  #queue: Write[] = [];
  #scheduled = false;

  constructor(path: string) {
    // Records hold environments and with them secrets. SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    this.#db = new Database(path, { create: true, strict: true });
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-2000');
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
  }

  [Symbol.dispose](): void {
    if (this.#queue.length > 0) this.#flush();
    this.#db.close();
  }
}

function stateError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  return new EngineError('internal', `Cannot write the engine's state: ${messageOf(error)}`, { cause: error });
}

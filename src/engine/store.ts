import { EngineError, isContainerId, messageOf } from '../base/index.ts';
import type { ContainerId, ExecId, Logger } from '../base/index.ts';
import type { StateDb } from '../state/index.ts';
import { Container } from './container.ts';
import type { ContainerDynamics, ContainerRecord } from './record.ts';

/** Between tries to save what could not be saved, or need not be at once. */
const saveRetryMs = 5000;

/**
 * All containers, in memory for reading and in SQLite for keeping. A write resolves when it is durable; memory changes only
 * through the callers that hold the container's lane.
 */
export class ContainerStore {
  readonly #byId = new Map<ContainerId, Container>();
  /** Names in use, those of containers being made among them. */
  readonly #names = new Map<string, ContainerId>();

  /** Which container an exec session is of; sessions live in memory only. */
  readonly execOwners = new Map<ExecId, Container>();

  readonly #unsaved = new Set<Container>();
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly db: StateDb, readonly logger: Logger) {
    db.raw.exec(`CREATE TABLE IF NOT EXISTS container (
      id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL, dynamics TEXT NOT NULL) WITHOUT ROWID`);
    const rows = db.raw.query<{ record: string; dynamics: string }, []>('SELECT record, dynamics FROM container').all();
    for (const row of rows) {
      const record: ContainerRecord = JSON.parse(row.record);
      const dynamics: ContainerDynamics = JSON.parse(row.dynamics);
      this.#byId.set(record.id, new Container(record, dynamics));
      this.#names.set(record.name, record.id);
    }
  }

  all(): Container[] {
    return [...this.#byId.values()];
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: ContainerId): Container | undefined {
    return this.#byId.get(id);
  }

  /** By full id, name (with or without docker's leading `/`) or unique id prefix, in that order. */
  find(reference: string): Container {
    if (reference === '') throw new EngineError('invalidArgument', 'Cannot find container: no name or id given');
    const exact = isContainerId(reference) ? this.#byId.get(reference) : undefined;
    if (exact) return exact;
    const named = this.#names.get(reference.startsWith('/') ? reference.slice(1) : reference);
    const container = named === undefined ? undefined : this.#byId.get(named);
    if (container) return container;
    let found: Container | undefined;
    for (const [id, candidate] of this.#byId) {
      if (!id.startsWith(reference)) continue;
      if (found) throw new EngineError('invalidArgument', `Multiple IDs found with provided prefix: ${reference}`);
      found = candidate;
    }
    if (!found) throw new EngineError('notFound', `No such container: ${reference}`);
    return found;
  }

  /** Takes a name until `releaseName`; the record makes it durable. */
  reserveName(name: string, id: ContainerId): void {
    const holder = this.#names.get(name);
    if (holder !== undefined) {
      throw new EngineError(
        'conflict',
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    }
    this.#names.set(name, id);
  }

  /** True for a container that exists or is being made. */
  isKnown(id: ContainerId): boolean {
    return this.#byId.has(id) || [...this.#names.values()].includes(id);
  }

  releaseName(name: string, id: ContainerId): void {
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  async insert(container: Container): Promise<void> {
    const { record, dynamics } = container;
    const row = { id: record.id, name: record.name, record: JSON.stringify(record), dynamics: JSON.stringify(dynamics) };
    await this.db.write((db) => db.query('INSERT INTO container VALUES ($id, $name, $record, $dynamics)').run(row));
    this.#byId.set(record.id, container);
  }

  async saveDynamics(container: Container): Promise<void> {
    const row = { id: container.id, dynamics: JSON.stringify(container.dynamics) };
    await this.db.write((db) => db.query('UPDATE container SET dynamics = $dynamics WHERE id = $id').run(row));
  }

  /**
   * As saveDynamics, for what has happened whether it can be written or not (a full disk): it is tried again until it is written.
   * True: durable when it returns.
   */
  async saveSoon(container: Container): Promise<boolean> {
    try {
      await this.saveDynamics(container);
      return true;
    } catch (error) {
      this.logger.error(`Cannot save the state of container ${container.id} (tried again): ${messageOf(error)}`);
      this.#unsaved.add(container);
      this.#retryTimer ??= setTimeout(() => this.#retry(), saveRetryMs).unref();
      return false;
    }
  }

  #retry(): void {
    this.#retryTimer = undefined;
    const containers = [...this.#unsaved].filter((container) => this.#byId.get(container.id) === container);
    this.#unsaved.clear();
    for (const container of containers) void this.saveSoon(container);
  }

  /** As saveSoon, for what may be lost in a crash (the records of health checks): many of them cost one flush. */
  saveLater(container: Container): void {
    this.#unsaved.add(container);
    this.#retryTimer ??= setTimeout(() => this.#retry(), saveRetryMs).unref();
  }

  async saveRecord(container: Container): Promise<void> {
    const row = { id: container.id, name: container.record.name, record: JSON.stringify(container.record) };
    await this.db.write((db) => db.query('UPDATE container SET name = $name, record = $record WHERE id = $id').run(row));
  }

  /** The daemon ends: what waits to be saved is tried a last time. */
  close(): void {
    clearTimeout(this.#retryTimer);
    this.#retry();
    clearTimeout(this.#retryTimer);
  }

  async delete(container: Container): Promise<void> {
    const id = container.id;
    await this.db.write((db) => db.query('DELETE FROM container WHERE id = $id').run({ id }));
    this.#byId.delete(id);
    this.releaseName(container.record.name, id);
    for (const exec of container.execs.keys()) this.execOwners.delete(exec);
  }
}

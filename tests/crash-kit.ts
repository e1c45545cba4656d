import { at, type TestDaemon } from './harness/index.ts';

/** What a container can be found as; `gone`: there is none of that name. */
export type Status = 'gone' | 'created' | 'running' | 'paused' | 'exited';

/** `sleeper` runs until it is stopped, `seven` ends with status 7 at once, `passing` is removed when it ends. */
export type Kind = 'sleeper' | 'seven' | 'passing';

/** What a client knows of one of its containers: what it must be found as, whenever the daemon dies. */
export interface Expected {
  readonly kind: Kind;
  allowed: ReadonlySet<Status>;
  /** Of a sleeper that nobody touches: it must stay. */
  pid: number | undefined;
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const commands: Record<Kind, string[]> = { sleeper: ['sleep', '10000'], seven: ['sh', '-c', 'exit 7'], passing: ['true'] };
const containersMax = 4;

/** A client that works without a pause on containers of its own, and keeps account of what the daemon promised. */
export class Client {
  readonly containers = new Map<string, Expected>();
  /** Answers that no crash explains. */
  readonly faults: string[] = [];
  done = 0;
  #count = 0;

  constructor(readonly daemon: TestDaemon, readonly name: string, readonly random: () => number) {}

  /** Works until the daemon is dead. `isDead`: it was killed, whatever the client has seen of it yet. */
  async work(isDead: () => boolean): Promise<void> {
    while (!isDead()) {
      try {
        await this.#step();
        this.done++;
      } catch (error) {
        if (isDead()) return;
        this.faults.push(`${this.name}: ${String(error)}`);
        return;
      }
    }
  }

  async #step(): Promise<void> {
    for (const [name, { allowed }] of this.containers) if (isOnly(allowed, 'gone')) this.containers.delete(name);
    const names = [...this.containers.keys()];
    const name = names[Math.floor(this.random() * containersMax)];
    const container = name === undefined ? undefined : this.containers.get(name);
    if (name === undefined || container === undefined) return this.#create();
    const dice = this.random();
    const { allowed } = container;
    if (isOnly(allowed, 'created') || isOnly(allowed, 'exited')) {
      return dice < 0.8 ? this.#start(name, container) : this.#remove(name, container);
    }
    if (container.kind !== 'sleeper') return this.#remove(name, container);
    if (isOnly(allowed, 'paused')) {
      return dice < 0.7 ? this.#change(name, container, 'POST', 'unpause', ['running']) : this.#remove(name, container);
    }
    if (dice < 0.4) return this.#exec(name);
    if (dice < 0.55) return this.#change(name, container, 'POST', 'stop?t=0', ['exited']);
    if (dice < 0.65) return this.#change(name, container, 'POST', 'restart?t=0', ['running'], ['exited']);
    if (dice < 0.75) return this.#change(name, container, 'POST', 'pause', ['paused']);
    return this.#remove(name, container);
  }

  async #create(): Promise<void> {
    const dice = this.random();
    const kind: Kind = dice < 0.6 ? 'sleeper' : dice < 0.8 ? 'seven' : 'passing';
    const name = `${this.name}-${this.#count++}`;
    const container: Expected = { kind, allowed: new Set<Status>(['gone', 'created']), pid: undefined };
    this.containers.set(name, container);
    const volumes = this.random() < 0.5 ? { '/data': {} } : {};
    const config = { Image: 'busybox', Cmd: commands[kind], Volumes: volumes, HostConfig: { AutoRemove: kind === 'passing' } };
    await this.#request('POST', `/containers/create?name=${name}`, config);
    container.allowed = new Set(['created']);
  }

  async #start(name: string, container: Expected): Promise<void> {
    const after: Record<Kind, Status[]> = { sleeper: ['running'], seven: ['running', 'exited'], passing: ['running', 'exited', 'gone'] };
    await this.#change(name, container, 'POST', 'start', after[container.kind]);
    if (container.kind !== 'sleeper') return;
    const pid = at(JSON.parse(await this.#request('GET', `/containers/${name}/json`)), 'State', 'Pid');
    container.pid = typeof pid === 'number' ? pid : undefined;
  }

  #remove(name: string, container: Expected): Promise<void> {
    return this.#change(name, container, 'DELETE', '?force=1&v=1', ['gone'], ['exited', 'running']);
  }

  async #exec(name: string): Promise<void> {
    const word = `word-${Math.floor(this.random() * 1e9)}`;
    const created = await this.#request('POST', `/containers/${name}/exec`, { Cmd: ['echo', word], AttachStdout: true });
    const output = await this.#request('POST', `/exec/${String(at(JSON.parse(created), 'Id'))}/start`, { Detach: false, Tty: false });
    if (!output.includes(word)) throw new Error(`exec in ${name} gave ${JSON.stringify(output)} instead of ${word}`);
  }

  /** Does something; until it is confirmed the container may be found as before, as after, or as something in between. */
  async #change(name: string, container: Expected, method: string, action: string, after: Status[], between: Status[] = []): Promise<void> {
    container.pid = undefined;
    container.allowed = new Set([...container.allowed, ...between, ...after]);
    const isGone = container.kind === 'passing' ? [404] : [];
    await this.#request(method, `/containers/${name}${action.startsWith('?') ? '' : '/'}${action}`, undefined, [...isGone, 409]);
    container.allowed = new Set(after);
  }

  /** @throws when there is no answer, or one that says no with a status not in `alsoFine`. */
  async #request(method: string, path: string, json?: unknown, alsoFine: readonly number[] = []): Promise<string> {
    const response = await fetch(`http://isulad${path}`, {
      unix: this.daemon.socket,
      method,
      keepalive: false,
      headers: { 'Content-Type': 'application/json', Connection: 'close' },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (response.status < 400 || (alsoFine.includes(response.status) && /marked for removal|No such container/.test(text))) return text;
    throw new Error(`${method} ${path}: ${response.status} ${text}`);
  }
}

export function isOnly(allowed: ReadonlySet<Status>, status: Status): boolean {
  return allowed.size === 1 && allowed.has(status);
}

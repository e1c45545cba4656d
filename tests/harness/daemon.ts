import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { writeBusyboxImage } from '../../tools/busybox-image.ts';
import { Background, dist, runCommand, waitUntil, type CommandOptions, type CommandResult } from './command.ts';
import { at } from './json.ts';
import { leftovers, sweep, wipe } from './leftovers.ts';

/** Short: the paths of sockets below it have 107 bytes at most. */
const parent = process.env['ISULA_TEST_ROOT'] ?? '/tmp';
const prefix = 'isulad-test-';
let count = 0;

export interface DaemonOptions {
  /** More flags for isulad. */
  flags?: readonly string[];
  /** Content of daemon.json. */
  config?: Record<string, unknown>;
  /** False: no image is imported. */
  busybox?: boolean;
  env?: Record<string, string>;
}

export interface RequestOptions {
  /** The body as a value; `body` as it is. */
  json?: unknown;
  body?: string | Uint8Array<ArrayBuffer>;
  contentType?: string;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface HttpResult {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON. @throws when it is none. */
  json(): unknown;
}

/** An isulad of the tests' own: roots, socket and cgroups that nobody else uses. */
export class TestDaemon {
  readonly dir: string;
  readonly cgroup: string;
  readonly socket: string;
  readonly graph: string;
  readonly state: string;
  #child: Bun.Subprocess | undefined;

  constructor(readonly options: DaemonOptions = {}) {
    this.cgroup = `${prefix}${process.pid}-${count++}`;
    this.dir = join(parent, this.cgroup);
    this.socket = join(this.dir, 'isulad.sock');
    this.graph = join(this.dir, 'graph');
    this.state = join(this.dir, 'state');
  }

  /** The daemon's flags: what a second daemon on the same roots would be started with. */
  get flags(): string[] {
    const host = this.options.config?.['hosts'] === undefined ? ['-H', `unix://${this.socket}`] : [];
    return [
      '--config-file', join(this.dir, 'daemon.json'), '-g', this.graph, '-S', this.state, '-p', join(this.dir, 'isulad.pid'),
      '--cgroup-parent', `/${this.cgroup}`, '-G', '0', '-l', 'DEBUG', '--log-driver', 'file', '--log-opt', `log-path=${this.dir}`,
      '--log-opt', 'max-file=1', ...host, ...(this.options.flags ?? []),
    ];
  }

  get pid(): number {
    if (!this.#child) throw new Error('the daemon does not run');
    return this.#child.pid;
  }

  /** The daemon's log so far. */
  get log(): string {
    const read = (name: string) => (existsSync(join(this.dir, name)) ? readFileSync(join(this.dir, name), 'utf8') : '');
    return read('isulad.log') + read('stdio.log');
  }

  /** Starts it, the first time or again after kill() or stop(), and waits until it answers; `env` is for this start only. */
  async start(env: Record<string, string> = {}): Promise<void> {
    const isulad = join(dist, 'isulad');
    if (!existsSync(isulad)) throw new Error(`${isulad} is not there: node_modules/.bin/bun tools/build.ts`);
    if (!existsSync(this.dir)) {
      sweep(parent, prefix);
      mkdirSync(this.dir, { mode: 0o711 });
      writeFileSync(join(this.dir, 'daemon.json'), JSON.stringify(this.options.config ?? {}));
    }
    const stdio = Bun.file(join(this.dir, 'stdio.log'));
    const environment = { ...process.env, ...this.options.env, ...env };
    const child = Bun.spawn([isulad, ...this.flags], { stdin: 'ignore', stdout: stdio, stderr: stdio, env: environment });
    this.#child = child;
    await waitUntil('the daemon to answer', async () => {
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) throw new Error(`isulad ended with ${end}:\n${this.log.slice(-4000)}`);
      return existsSync(this.socket) && (await this.http('GET', '/_ping').then(({ status }) => status === 200, () => false));
    });
  }

  /** Imports busybox:latest, made of the host's own busybox. */
  async importBusybox(): Promise<void> {
    const path = join(this.dir, 'busybox.tar');
    if (!existsSync(path)) await writeBusyboxImage(path);
    const query = new URLSearchParams({ fromSrc: '-', repo: 'busybox', tag: 'latest', changes: 'CMD ["sh"]' });
    const result = await this.http('POST', `/images/create?${query}`, { body: readFileSync(path), contentType: 'application/x-tar' });
    if (result.status !== 200 || result.text.includes('"error"')) throw new Error(`cannot import busybox: ${result.status} ${result.text}`);
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#child?.exited;
  }

  /** Waits until it has died by itself, at a fail point. */
  async died(): Promise<void> {
    const child = this.#child;
    await waitUntil('the daemon to die', () => child === undefined || child.signalCode !== null || child.exitCode !== null, 30_000);
    if (child?.signalCode !== 'SIGKILL') throw new Error(`isulad ended with ${child?.exitCode ?? child?.signalCode}, not by SIGKILL`);
  }

  /** SIGTERM; gives the exit status. */
  async stop(): Promise<number> {
    const child = this.#child;
    if (!child) throw new Error('the daemon does not run');
    child.kill('SIGTERM');
    await waitUntil('the daemon to stop', () => child.exitCode !== null || child.signalCode !== null);
    return child.exited;
  }

  /** Runs isula against this daemon. */
  isula(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([join(dist, 'isula'), ...args], { ...options, env: { ...this.#cliEnv(), ...options.env } });
  }

  /** Runs isula and fails unless it ends with 0; gives its trimmed standard output. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.isula(args, options);
    if (code !== 0) throw new Error(`isula ${args.join(' ')}: exit status ${code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Starts isula with pipes and lets it run. */
  background(args: readonly string[]): Background {
    return new Background([join(dist, 'isula'), ...args], this.#cliEnv());
  }

  /** Starts isula on a terminal of its own (through script); what it writes, echo included, is in `stdout`. */
  terminal(args: readonly string[], size: { rows: number; cols: number } = { rows: 24, cols: 80 }): Background {
    const quoted = [join(dist, 'isula'), ...args].map((word) => `'${word.replaceAll('\'', '\'\\\'\'')}'`).join(' ');
    const command = `stty rows ${size.rows} cols ${size.cols}; exec ${quoted}`;
    return new Background(['script', '-qefc', command, '/dev/null'], { ...this.#cliEnv(), SHELL: '/bin/sh' });
  }

  /** Runs a real docker command line, the newest of the host unless `client` names another. */
  docker(args: readonly string[], options: CommandOptions & { client?: string } = {}): Promise<CommandResult> {
    const [newest] = dockerClients();
    const client = options.client ?? newest;
    if (client === undefined) throw new Error('there is no docker command line on this host');
    const env = { DOCKER_HOST: `unix://${this.socket}`, DOCKER_CONFIG: join(this.dir, 'docker'), HOME: this.dir };
    return runCommand([client, ...args], { ...options, env: { ...env, ...options.env } });
  }

  /** One request to the API, on the unix socket. */
  async http(method: string, path: string, options: RequestOptions = {}): Promise<HttpResult> {
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const contentType = options.contentType ?? (options.json === undefined ? undefined : 'application/json');
    const response = await fetch(`http://isulad${path}`, {
      unix: this.socket,
      method,
      headers: { ...(contentType === undefined ? {} : { 'Content-Type': contentType }), ...options.headers },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  }

  /** Writes bytes to the socket as they are and reads until the daemon closes; `halfClose`: end our side after them. */
  raw(bytes: string | Uint8Array, options: { halfClose?: boolean; timeoutMs?: number } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.socket, allowHalfOpen: true });
      const timeoutMs = options.timeoutMs ?? 60_000;
      const late = () => finish(new Error(`the daemon did not close within ${timeoutMs} ms, it sent ${JSON.stringify(answer)}`));
      const limit = setTimeout(late, timeoutMs);
      let answer = '';
      const finish = (error?: Error) => {
        clearTimeout(limit);
        socket.destroy();
        if (error) reject(error);
        else resolve(answer);
      };
      socket.on('data', (chunk) => { answer += chunk.toString('latin1'); });
      socket.on('end', () => finish());
      socket.on('close', () => finish());
      socket.on('error', finish);
      socket.write(bytes, () => {
        if (options.halfClose === true) socket.end();
      });
    });
  }

  /** Removes all containers. */
  async removeAll(): Promise<void> {
    const containers = (await this.http('GET', '/containers/json?all=1')).json();
    if (!Array.isArray(containers)) throw new Error('no list of containers');
    await Promise.all(containers.map((item: unknown) => this.http('DELETE', `/containers/${String(at(item, 'Id'))}?force=1&v=1`)));
  }

  /** Removes its containers, stops it, removes all traces. @throws when something was left that should not be. */
  async close(): Promise<void> {
    const problems: string[] = [];
    try {
      if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
        await this.removeAll();
        const code = await this.stop();
        if (code !== 0) problems.push(`isulad ended with ${code}`);
      }
      problems.push(...leftovers(this));
    } catch (error) {
      problems.push(String(error));
    } finally {
      if (problems.length > 0) console.error(`isulad's log ends with:\n${this.log.slice(-4000)}`);
      this.#child?.kill('SIGKILL');
      await this.#child?.exited;
      wipe(this);
    }
    if (problems.length > 0) throw new Error(`the daemon left:\n${problems.join('\n')}`);
  }

  #cliEnv(): Record<string, string> {
    return { ISULAD_HOST: `unix://${this.socket}`, HOME: this.dir };
  }
}

/** The docker command lines of this host, newest first. */
export function dockerClients(): string[] {
  return ['/usr/local/bin/docker', '/usr/bin/docker'].filter((path) => existsSync(path));
}

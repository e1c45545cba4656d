import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const registryBinary = '/usr/bin/docker-registry';
export const haveRegistry = existsSync(registryBinary);

/** A port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

export interface RegistryOptions {
  readonly tls?: { cert: string; key: string; clientCa?: string };
  /** A htpasswd file's text (bcrypt). */
  readonly htpasswd?: string;
  readonly token?: { realm: string; service: string; issuer: string; bundle: string };
}

/** Debian's docker-registry on loopback, with a directory of its own. */
export class LocalRegistry implements AsyncDisposable {
  private constructor(
    readonly host: string,
    readonly dir: string,
    private readonly child: ReturnType<typeof spawn>,
  ) {}

  static async start(options: RegistryOptions = {}): Promise<LocalRegistry> {
    const dir = mkdtempSync(join(tmpdir(), 'isula-registry-'));
    mkdirSync(join(dir, 'data'));
    const port = await freePort();
    const lines = [
      'version: 0.1', 'log: {level: error}', 'storage:', `  filesystem: {rootdirectory: ${join(dir, 'data')}}`, '  delete: {enabled: true}',
      'http:', `  addr: 127.0.0.1:${port}`,
    ];
    if (options.tls) {
      lines.push('  tls:', `    certificate: ${options.tls.cert}`, `    key: ${options.tls.key}`);
      if (options.tls.clientCa !== undefined) lines.push('    clientcas:', `      - ${options.tls.clientCa}`);
    }
    if (options.htpasswd !== undefined) {
      writeFileSync(join(dir, 'htpasswd'), options.htpasswd);
      lines.push('auth:', `  htpasswd: {realm: test, path: ${join(dir, 'htpasswd')}}`);
    }
    if (options.token) {
      const { realm, service, issuer, bundle } = options.token;
      lines.push('auth:', `  token: {realm: "${realm}", service: ${service}, issuer: ${issuer}, rootcertbundle: ${bundle}}`);
    }
    writeFileSync(join(dir, 'config.yml'), `${lines.join('\n')}\n`);
    const child = spawn(registryBinary, ['serve', join(dir, 'config.yml')], { stdio: 'ignore' });
    const registry = new LocalRegistry(`127.0.0.1:${port}`, dir, child);
    const url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/`;
    for (let tries = 0; ; tries++) {
      if (child.exitCode !== null || tries > 600) throw new Error(`docker-registry did not start (${String(child.exitCode)})`);
      // A server that wants a client certificate refuses this request: that it answers at all is what is waited for.
      const answered = await fetch(url, { tls: { rejectUnauthorized: false } }).then(
        () => true,
        (error: unknown) => options.tls?.clientCa !== undefined && !String(error).includes('ECONNREFUSED'),
      );
      if (answered) return registry;
      await Bun.sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.child.on('exit', resolve));
    if (this.child.exitCode === null) {
      this.child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Runs a program to its end; gives what it wrote. @throws when it fails */
export async function run(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe', stdin: 'ignore' });
  const [out, complaint, status] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (status !== 0) throw new Error(`${command.join(' ')}: ${complaint}`);
  return out;
}

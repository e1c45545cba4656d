import { join } from 'node:path';

export const root = join(import.meta.dir, '..', '..');
/** Where isula and isulad are; ISULA_DIST names another build. */
export const dist = process.env['ISULA_DIST'] ?? join(root, 'dist');

export interface CommandOptions {
  /** Standard input; undefined: /dev/null. */
  input?: string | Uint8Array<ArrayBuffer>;
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
}

export interface CommandResult {
  /** 128 + n after signal n. */
  code: number;
  stdout: string;
  stderr: string;
  bytes: Uint8Array;
}

/** Runs a program to its end. @throws when it takes longer than `timeoutMs` (60 s). */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const child = Bun.spawn([...argv], {
    stdin: options.input === undefined ? 'ignore' : typeof options.input === 'string' ? new TextEncoder().encode(options.input) : options.input,
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const timer = Promise.withResolvers<never>();
  const limit = setTimeout(() => {
    child.kill('SIGKILL');
    timer.reject(new Error(`${argv.join(' ')}: no end within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    const work = Promise.all([new Response(child.stdout).bytes(), new Response(child.stderr).text(), child.exited]);
    const [bytes, stderr, code] = await Promise.race([work, timer.promise]);
    return { code, stdout: new TextDecoder().decode(bytes), stderr, bytes };
  } finally {
    clearTimeout(limit);
  }
}

/** Waits for a condition, not for a time. @throws after `timeoutMs` (60 s), saying what was waited for. */
export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await Bun.sleep(20);
  }
}

/** A program that goes on: its output so far, its input, its end. Dispose kills it. */
export class Background implements Disposable {
  stdout = '';
  stderr = '';
  readonly #child: Bun.Subprocess<'pipe', 'pipe', 'pipe'>;
  readonly #read: Promise<void>;

  constructor(argv: readonly string[], env: Record<string, string>) {
    this.#child = Bun.spawn([...argv], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe', env: { ...process.env, ...env } });
    this.#read = Promise.all([
      collect(this.#child.stdout, (text) => { this.stdout += text; }),
      collect(this.#child.stderr, (text) => { this.stderr += text; }),
    ]).then(() => undefined);
  }

  get pid(): number {
    return this.#child.pid;
  }

  write(text: string | Uint8Array): void {
    // A process that ends before it has read everything is the test's to find.
    for (const written of [this.#child.stdin.write(text), this.#child.stdin.flush()]) void Promise.resolve(written).catch(() => undefined);
  }

  closeInput(): void {
    void Promise.resolve(this.#child.stdin.end()).catch(() => undefined);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until standard output holds the text. */
  waitFor(text: string, timeoutMs?: number): Promise<void> {
    return waitUntil(`${JSON.stringify(text)} in the output of process ${this.pid}`, () => {
      if (this.stdout.includes(text)) return true;
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}; stdout: ${this.stdout}; stderr: ${this.stderr}`);
      return false;
    }, timeoutMs);
  }

  /** The exit status, once it ended and all output is here. */
  async end(timeoutMs = 60_000): Promise<number> {
    const hasEnded = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await waitUntil(`the end of process ${this.pid} (stdout so far: ${this.stdout})`, hasEnded, timeoutMs);
    await Promise.race([this.#read, Bun.sleep(5000)]);
    return this.#child.exited;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}

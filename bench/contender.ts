import { runCommand } from '../tests/harness/index.ts';

/** The image that all run: busybox. */
export const image = 'busybox';

/** One engine under measurement, with roots of its own. Disposing it ends and removes all that it made. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  /** What is measured, for the report. */
  readonly versions: readonly string[];
  /** Of `create` and `run`: what gives every engine the same container. */
  readonly createOptions: readonly string[];
  /** Of `create` and `run`: the output is not kept. */
  readonly noLog: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The socket of the Docker API; undefined without a daemon. */
  readonly socket: string | undefined;
  command(args: readonly string[]): string[];
  daemons(): number[];
  monitors(): number[];
  /** Kills the daemon as a crash does; starts it again without waiting for it. Where that is measured. */
  readonly crash?: { kill(): Promise<void>; start(): void };
}

/** How long one command may take; a hundred of them at once share two processors. */
const commandLimitMs = 180_000;

/** Runs one command of an engine and gives its time in ms. @throws unless it ends with 0. */
export async function timed(contender: Contender, args: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = Bun.spawn(contender.command(args), {
    stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', env: { ...process.env, ...contender.env }, timeout: commandLimitMs,
  });
  const status = await child.exited;
  const ms = performance.now() - started;
  if (status !== 0) throw new Error(`${contender.name} ${args.join(' ')}: exit status ${status}: ${await new Response(child.stderr).text()}`);
  return ms;
}

/** Runs one command and gives what it wrote. @throws unless it ends with 0. */
export async function output(contender: Contender, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(contender.command(args), { env: { ...contender.env }, timeoutMs: commandLimitMs });
  if (code !== 0) throw new Error(`${contender.name} ${args.join(' ')}: exit status ${code}: ${stderr}`);
  return stdout.trim();
}

/** A request to the Docker API of an engine. @throws for a status of 400 and more. */
export async function request(contender: Contender, method: string, path: string, body?: unknown): Promise<unknown> {
  if (contender.socket === undefined) throw new Error(`${contender.name} has no API`);
  const response = await fetch(`http://localhost${path}`, {
    unix: contender.socket, method, signal: AbortSignal.timeout(commandLimitMs),
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  const text = await response.text();
  if (response.status >= 400) throw new Error(`${contender.name} ${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

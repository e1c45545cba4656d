import { DetachFilter, parseDetachKeys } from '../../base/index.ts';
import { demultiplex, type Wire } from '../../client/index.ts';
import { byteReader } from '../terminal/input.ts';
import { printError, writeAll } from '../terminal/output.ts';
import { isTerminal, type TerminalSize, terminalSize } from '../terminal/terminal.ts';

export interface SessionOptions {
  wire: Wire;
  /** The process has a terminal: output is raw, not multiplexed. */
  tty: boolean;
  /** Send standard input. */
  stdin: boolean;
  /** As given to --detach-keys; empty: the default. */
  detachKeys: string;
  /** Tells the process's terminal its size; called at once and at every SIGWINCH. */
  resize: ((size: TerminalSize) => Promise<void>) | undefined;
}

/** Runs a session and gives the command's exit status: 0 when the user left it, which is said as docker says it, else `status`. */
export async function runAttached(options: SessionOptions, status: () => Promise<number>): Promise<number> {
  if (await runSession(options) === 'ended') return await status();
  printError('read escape sequence\n');
  return 0;
}

/**
 * Carries an attached process's streams until they end or the user typed the detach keys. Output is written in the order
 * it comes, with backpressure; input is sent as it is read, and its end is passed on as a half-close.
 */
async function runSession(options: SessionOptions): Promise<'ended' | 'detached'> {
  using _mode = await rawMode(options.tty && options.stdin);
  using _size = followSize(options);
  const { promise: detached, resolve: detach } = Promise.withResolvers<'detached'>();
  if (options.stdin) void sendInput(options, () => detach('detached'));
  const output = receiveOutput(options).then((): 'ended' => 'ended');
  try {
    return await Promise.race([output, detached]);
  } finally {
    options.wire.close();
    // A session that was left: its output's end is of no interest any more.
    output.catch(() => undefined);
  }
}

async function receiveOutput({ wire, tty }: SessionOptions): Promise<void> {
  if (!tty) return await demultiplex(wire, writeAll);
  for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) await writeAll(1, chunk);
}

async function sendInput({ wire, tty, detachKeys }: SessionOptions, detach: () => void): Promise<void> {
  const next = byteReader(0);
  // The daemon knows the keys too; but only the client can tell a detached session from one that ended.
  const filter = tty ? new DetachFilter(parseDetachKeys(detachKeys)) : undefined;
  try {
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
      const found = filter?.push(chunk) ?? { data: chunk, detached: false };
      if (found.data.length > 0) await wire.write(found.data);
      if (found.detached) return detach();
    }
    const held = filter?.flush();
    if (held !== undefined && held.length > 0) await wire.write(held);
    wire.shutdown();
  } catch {
    // The process ended, or closed its input: its output says how the session ends.
  }
}

/** Raw mode while the session lasts, restored also when a signal ends the command. */
async function rawMode(wanted: boolean): Promise<Disposable> {
  if (!wanted || !isTerminal(0)) return { [Symbol.dispose]() {} };
  const { makeTerminalRaw } = await import('../../linux/index.ts');
  const restore = makeTerminalRaw(0);
  process.once('exit', restore);
  return {
    [Symbol.dispose]() {
      restore();
      process.off('exit', restore);
    },
  };
}

function followSize({ tty, resize }: SessionOptions): Disposable {
  if (!tty || resize === undefined) return { [Symbol.dispose]() {} };
  const tell = (): void => {
    void terminalSize().then((size) => (size === undefined ? undefined : resize(size))).catch(() => undefined);
  };
  tell();
  process.on('SIGWINCH', tell);
  return {
    [Symbol.dispose]() {
      process.off('SIGWINCH', tell);
    },
  };
}

const resizeTries = 10;
const resizePauseMs = 10;

/** A size set while the process is only just starting may come too early: a few tries, as docker does. */
export async function retryResize(resize: () => Promise<unknown>): Promise<void> {
  for (let left = resizeTries; left > 0; left--) {
    try {
      await resize();
      return;
    } catch {
      await Bun.sleep(resizePauseMs * (resizeTries - left + 1));
    }
  }
}

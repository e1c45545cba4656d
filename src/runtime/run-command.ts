import { EngineError } from '../base/index.ts';

/** A runtime that writes more than this to its standard error is not read further. */
const errorTextLimitBytes = 64 * 1024;
/** A hook may keep the pipe open after the runtime ended; so long its text is waited for. */
const drainMs = 200;
/** Standard environment of all that we start: nothing of the daemon's own leaks into hooks. */
export const childEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

export interface CommandResult {
  exitCode: number;
  /** Standard error, trimmed. */
  errorText: string;
}

/**
 * Runs a runtime's command to its end. @throws timeout or cancelled; it is killed then. unavailable: it cannot be executed.
 */
export async function runCommand(argv: string[], options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<CommandResult> {
  const child = spawnOrThrow(argv);
  const stop = stopSignal(options);
  try {
    const text = readText(child.stderr);
    const exitCode = await Promise.race([child.exited, stop.promise]);
    if (typeof exitCode !== 'number') {
      killGroup(child.pid);
      throw exitCode;
    }
    return { exitCode, errorText: await Promise.race([text.done, Bun.sleep(drainMs).then(text.soFar)]) };
  } finally {
    stop.clear();
  }
}

function spawnOrThrow(argv: string[]) {
  try {
    // `detached` (setsid) is in Bun but not in its types.
    const own = { env: childEnvironment, cwd: '/', detached: true };
    return Bun.spawn(argv, { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', ...own });
  } catch (cause) {
    throw new EngineError('unavailable', `Cannot run ${argv[0] ?? ''}: is it installed?`, { cause });
  }
}

/** Kills a command that was started in a session of its own, with the hooks that it runs. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All have ended meanwhile.
  }
}

/** Resolves with an error once the time is over or the caller gave up; never rejects. */
export function stopSignal(options: { timeoutMs: number; signal?: AbortSignal | undefined }): { promise: Promise<EngineError>; clear(): void } {
  const { promise, resolve } = Promise.withResolvers<EngineError>();
  const cancelled = (): void => resolve(new EngineError('cancelled', 'The request was cancelled'));
  const timer = options.timeoutMs > 0
    ? setTimeout(() => resolve(new EngineError('timeout', `The container runtime did not answer within ${options.timeoutMs} ms`)), options.timeoutMs)
    : undefined;
  if (options.signal?.aborted) cancelled();
  options.signal?.addEventListener('abort', cancelled, { once: true });
  return {
    promise,
    clear() {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', cancelled);
    },
  };
}

/** Reads a stream as text up to a limit; the rest is read and dropped, so that the writer never stands. */
export function readText(stream: ReadableStream<Uint8Array>): { done: Promise<string>; soFar: () => string } {
  const decoder = new TextDecoder();
  let text = '';
  const read = async (): Promise<string> => {
    for await (const chunk of stream) if (text.length < errorTextLimitBytes) text += decoder.decode(chunk, { stream: true });
    return text.trim();
  };
  return { done: read().catch(() => text.trim()), soFar: () => text.trim() };
}

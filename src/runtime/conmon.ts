import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../base/index.ts';
import { makeSocketPair } from '../linux/index.ts';
import { bundleFiles, readPidFile, type Launch } from './bundle.ts';
import type { DriverContext } from './context.ts';
import { MessageSocket } from './message-socket.ts';
import { childEnvironment, readText } from './run-command.ts';

/** The descriptor that conmon gets for its messages; it is both its sync pipe and, for exec, its start and attach pipe. */
const messageFd = 3;

/**
 * A started conmon. It forks at once and leaves our session (setsid), so that neither the daemon's end nor a signal to its terminal
 * reaches it. It stays in the daemon's cgroup: the systemd unit says KillMode=process.
 */
export interface Conmon {
  messages: MessageSocket;
  /** The end of the process that forked the monitor: after it the pid file is written. */
  forked: Promise<number>;
  /** What was written to standard error before the monitor let go of it. */
  errorText: Promise<string>;
}

/** Starts conmon. Its working directory is where it leaves the OOM marker. @throws unavailable: not installed. */
export async function startConmon(argv: string[], options: { cwd: string; waitsForStart: boolean }): Promise<Conmon> {
  const [ours, theirs] = makeSocketPair();
  let child;
  try {
    child = Bun.spawn(argv, {
      cwd: options.cwd,
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: {
        ...childEnvironment,
        _OCI_SYNCPIPE: String(messageFd),
        ...(options.waitsForStart ? { _OCI_STARTPIPE: String(messageFd), _OCI_ATTACHPIPE: String(messageFd) } : {}),
      },
    });
  } catch (cause) {
    closeSync(ours);
    throw new EngineError('unavailable', `Cannot run ${argv[0] ?? ''}: is conmon installed?`, { cause });
  } finally {
    closeSync(theirs);
  }
  const messages = await MessageSocket.open(ours);
  return { messages, forked: child.exited, errorText: readText(child.stderr).done };
}

/** The shell that puts a runtime's standard streams right (`ownStreams`). */
const shell = '/bin/sh';

/**
 * The command that conmon takes for the runtime. With a user namespace crun 1.8 gives its own standard streams to the container's root,
 * character devices too, and conmon fills them with /dev/null: the host's would belong to the container. Pipes take its place then. crun also
 * makes the container's devices as its umask says, and not as the specification does.
 */
function runtimeCommand(path: string, args: readonly string[], streams: { own: boolean; input: boolean; output: boolean }): [string, ...string[]] {
  if (!streams.own) return [path, ...args];
  const script = `umask 0; ${streams.input ? '' : ': | '}exec "$0" "$@"${streams.output ? '' : ' >&2'}`;
  return [shell, '-c', script, path, ...args];
}

/** Options that create and exec share. */
export function conmonArguments(ctx: Pick<DriverContext, 'conmonPath' | 'executableOf'>, options: {
  id: string;
  /** Where the attach socket and the FIFOs are made. */
  directory: string;
  launch: Pick<Launch, 'runtime' | 'runtimeRoot'>;
  pidFile: string;
  terminal: boolean;
  stdin: boolean;
  leaveStdinOpen: boolean;
  /** The runtime makes a user namespace: it may not get the host's /dev/null. */
  ownStreams?: boolean;
}): string[] {
  const { launch, directory, terminal } = options;
  const [runtime, ...args] = runtimeCommand(ctx.executableOf(launch.runtime.path), [...launch.runtime.args, `--root=${launch.runtimeRoot}`], {
    own: options.ownStreams ?? false, input: options.stdin && !terminal, output: !terminal,
  });
  return [
    ctx.conmonPath, '--api-version', '--full-attach', '-c', options.id, '-u', options.id, '-n', options.id, '-b', directory,
    '-r', runtime, ...args.flatMap((arg) => ['--runtime-arg', arg]),
    '-p', options.pidFile, '-P', join(directory, bundleFiles.conmonPid), '--no-sync-log',
    ...(terminal ? ['-t'] : []),
    ...(options.stdin ? ['-i'] : []),
    ...(options.leaveStdinOpen ? ['--leave-stdin-open'] : []),
  ];
}

/** The monitor whose pid file is in a directory, while it lives. Its command line names the directory: pids are reused. */
export function conmonPid(directory: string): number | undefined {
  const pid = readPidFile(join(directory, bundleFiles.conmonPid));
  if (pid === undefined) return undefined;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(directory) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Kills a monitor and the runtime command it waits for: both are in the session that conmon made. */
export function killConmon(directory: string): void {
  const pid = conmonPid(directory);
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already, which is what was wanted.
  }
}

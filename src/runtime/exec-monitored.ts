import { EngineError, type ProcessSession } from '../base/index.ts';
import { attachTo, nowhere } from './attach.ts';
import { conmonArguments, killConmon, startConmon, type Conmon } from './conmon.ts';
import { sendWindowSize } from './control.ts';
import type { ExecJob } from './exec.ts';
import { runtimeFailure } from './failure.ts';
import type { ConmonMessage } from './message-socket.ts';
import { stopSignal } from './run-command.ts';
import type { ExecHandle } from './types.ts';

const startTimeoutMs = 120_000;
/** The exit status of a process whose monitor ended without telling one. */
const unknownExitCode = 255;

const detachedSession: ProcessSession = { writeInput: () => undefined, closeInput() {}, detach() {}, closed: Promise.resolve() };

/**
 * `exec` behind conmon. Attached, conmon waits with the process until we are connected, so that no output is lost: it says that it
 * listens, we connect, we let it go on. Detached and without a terminal, we connect too, to close a pipe that is its input: conmon would
 * give it the host's /dev/null, which the runtime would then give to the process's user (see execDirect).
 */
export async function execMonitored(job: ExecJob): Promise<ExecHandle> {
  const { ctx, request, directory } = job;
  const terminal = request.process.terminal;
  const attached = request.sink !== undefined || !terminal;
  const argv = [
    ...conmonArguments(ctx, {
      id: request.containerId,
      directory,
      launch: job.launch,
      pidFile: job.pidFile,
      terminal,
      stdin: request.openStdin || !terminal,
      leaveStdinOpen: terminal,
    }),
    '-e', '--exec-process-spec', job.processPath, '-l', 'none', ...(attached ? ['--exec-attach'] : []),
  ];
  const conmon = await startConmon(argv, { cwd: directory, waitsForStart: attached });
  const stop = stopSignal({ timeoutMs: startTimeoutMs, signal: request.signal });
  const next = async (): Promise<ConmonMessage> => {
    const message = await Promise.race([conmon.messages.next(), stop.promise]);
    if (message instanceof EngineError) throw message;
    if (message !== undefined && message.data >= 0) return message;
    const text = message?.message || (await conmon.errorText);
    throw runtimeFailure(text, { action: 'exec', args: request.process.args, cwd: request.process.cwd });
  };
  let session = detachedSession;
  try {
    if (attached) {
      conmon.messages.go();
      await next();
      const options = { stdin: request.openStdin, stdinOnce: false, pidFile: job.pidFile, signal: request.signal };
      session = await attachTo(directory, request.sink ?? nowhere, options);
      conmon.messages.go();
    }
    const { data: pid } = await next();
    if (request.sink === undefined) session.detach();
    return { pid, session, exit: exitOf(conmon, session), resize: (height, width) => sendWindowSize(directory, height, width) };
  } catch (error) {
    killConmon(directory);
    conmon.messages.close();
    session.detach();
    throw error;
  } finally {
    stop.clear();
  }
}

async function exitOf(conmon: Conmon, session: ProcessSession): Promise<number> {
  const message = await conmon.messages.next();
  conmon.messages.close();
  await session.closed;
  return message === undefined || message.data < 0 ? unknownExitCode : message.data;
}

import { EngineError, errnoOf, messageOf } from '../../base/index.ts';

const complaintMax = 2000;

/** Runs a program of the host to its end. @throws unsupported when it is not installed, internal with its complaint when it fails */
export async function runTool(command: readonly [string, ...string[]], packageName: string, signal: AbortSignal): Promise<void> {
  const [name] = command;
  let child: Bun.Subprocess<'ignore', 'ignore', 'pipe'>;
  try {
    child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', signal, killSignal: 'SIGKILL' });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new EngineError('unsupported', `Cannot load the embedded image: ${name} is not installed (package ${packageName})`);
    }
    throw new EngineError('internal', `Cannot run ${name}: ${messageOf(error)}`, { cause: error });
  }
  const [complaint, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  signal.throwIfAborted();
  if (status !== 0) {
    throw new EngineError(
      'invalidArgument',
      `Cannot load the embedded image: ${name}: ${complaint.trim().slice(0, complaintMax) || `status ${status}`}`,
    );
  }
}

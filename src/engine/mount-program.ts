import { EngineError } from '../base/index.ts';

const mountTimeoutMs = 30_000;

/**
 * Runs mount(8): it finds file system types and loop devices, and a disk that does not answer blocks only it, not the daemon.
 * @param what begins the message of a failure
 * @throws invalidArgument with what mount(8) said
 */
export async function mountByProgram(what: string, source: string, target: string, options: { type?: string; flags: string }): Promise<void> {
  const type = options.type === undefined ? [] : ['-t', options.type];
  const child = Bun.spawn(['mount', '-n', ...type, '-o', options.flags, '--', source, target], {
    stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', timeout: mountTimeoutMs, killSignal: 'SIGKILL',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  });
  const [stderr, status] = await Promise.all([child.stderr.text(), child.exited]);
  if (status === 0) return;
  const reason = stderr.trim().split('\n')[0]?.slice(0, 300) ?? '';
  throw new EngineError('invalidArgument', `Cannot mount ${what} ${source}: ${reason === '' ? `mount ended with status ${status}` : reason}`);
}

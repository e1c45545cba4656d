import { type ApiClient, flagAt, numberAt } from '../../client/index.ts';
import { type Command, containerPath, ExitError } from '../command.ts';
import { registerWait } from '../create-container.ts';
import { retryResize, runAttached } from '../session/session.ts';
import { exitOnSignals, proxySignals } from '../session/signals.ts';
import { requireTerminal } from '../terminal/terminal.ts';

/** `isula attach` (guide 1.3.1.7, docker's 4.5.2.1). Ends with the container's exit status. */
export const attach: Command = {
  spec: {
    name: 'attach', usage: '[OPTIONS] CONTAINER', summary: 'Attach local standard input, output, and error streams to a running container',
    args: { min: 1, max: 1 }, completes: 'running',
    flags: [
      { name: 'detach-keys', type: 'string', help: 'Override the key sequence for detaching a container' },
      { name: 'no-stdin', type: 'bool', help: 'Do not attach STDIN' },
      { name: 'sig-proxy', type: 'bool', default: 'true', help: 'Proxy all received signals to the process' },
    ],
  },
  async run({ client, flags, args: [name = ''] }) {
    const path = containerPath(name);
    const container = await client.json('GET', `${path}/json`);
    if (flagAt(container, 'State', 'Paused')) throw new ExitError(1, 'You cannot attach to a paused container, unpause it first');
    if (flagAt(container, 'State', 'Restarting')) throw new ExitError(1, 'You cannot attach to a restarting container, wait until it is running');
    if (!flagAt(container, 'State', 'Running')) throw new ExitError(1, 'You cannot attach to a stopped container, start it first');
    const tty = flagAt(container, 'Config', 'Tty');
    const stdin = !flags.bool('no-stdin') && flagAt(container, 'Config', 'OpenStdin');
    if (tty && stdin) requireTerminal();
    using _signals = flags.bool('sig-proxy') && !tty ? proxySignals(client, name) : exitOnSignals();
    const detachKeys = flags.text('detach-keys');
    const wait = await registerWait(client, name, 'next-exit');
    const { wire } = await client.hijack(
      `${path}/attach`, { query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: detachKeys || undefined } },
    );
    let first = true;
    return await runAttached({
      wire, tty, stdin, detachKeys,
      resize: async ({ rows, columns }) => {
        const resize = (h: number): Promise<void> => retryResize(() => client.json('POST', `${path}/resize`, { query: { h, w: columns } }));
        // A change of size makes the shell inside draw its prompt, which was printed before we came.
        if (first) await resize(rows + 1);
        first = false;
        await resize(rows);
      },
    }, () => Promise.race([wait.result, statusOf(client, path)]));
  },
};

/** The stream may end while the container goes on (its output was closed, the daemon left it): then the command just ends. */
async function statusOf(client: ApiClient, path: string): Promise<number> {
  const graceMs = 2000;
  await Bun.sleep(graceMs);
  const container = await client.json('GET', `${path}/json`);
  return flagAt(container, 'State', 'Running') ? 0 : numberAt(container, 'State', 'ExitCode');
}

import type { ApiClient } from '../../client/index.ts';
import { at, flagAt } from '../../client/index.ts';
import { isEngineError } from '../../base/index.ts';
import { type Command, containerPath, type Context, describeFailure, ExitError, forEachArgument } from '../command.ts';
import { registerWait } from '../create-container.ts';
import { retryResize, runAttached } from '../session/session.ts';
import { exitOnSignals, proxySignals } from '../session/signals.ts';
import { requireTerminal } from '../terminal/terminal.ts';

/** `isula start` (guide 1.3.1.2: prints nothing; docker's 4.5.2.17). */
export const start: Command = {
  spec: {
    name: 'start', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Start one or more stopped containers',
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    completes: 'containers',
    flags: [
      { name: 'attach', short: 'a', type: 'bool', help: 'Attach STDOUT/STDERR and forward signals' },
      { name: 'detach-keys', type: 'string', help: 'Override the key sequence for detaching a container' },
      { name: 'interactive', short: 'i', type: 'bool', help: "Attach container's STDIN" },
      { name: 'runtime', short: 'R', type: 'string', help: 'Runtime to use for the container; "lcr" in any case is the light runtime of the host' },
      { name: 'sig-proxy', type: 'bool', default: 'true', help: 'Proxy all received signals to the process (with --attach)' },
    ],
  },
  async run(context) {
    const { client, flags, args } = context;
    if (flags.bool('attach') || flags.bool('interactive')) {
      if (args.length > 1) throw new ExitError(1, 'you cannot start and attach multiple containers at once');
      return await startAttached(context);
    }
    return await forEachArgument(args, async (name) => {
      await startOne(client, name, flags.text('runtime'));
      return undefined;
    });
  },
};

async function startOne(client: ApiClient, name: string, runtime: string): Promise<void> {
  await client.json('POST', containerPath(name, '/start'), { query: { runtime: runtime || undefined } }).catch((error: unknown) => {
    if (!isEngineError(error, 'notModified')) throw error;
  });
}

async function startAttached({ client, flags, args: [name = ''] }: Context): Promise<number> {
  const path = containerPath(name);
  const container = await client.json('GET', `${path}/json`);
  if (flagAt(container, 'State', 'Running')) throw new ExitError(1, `Container ${name} is running already: use 'isula attach'`);
  const tty = flagAt(container, 'Config', 'Tty');
  const stdin = flags.bool('interactive') && flagAt(container, 'Config', 'OpenStdin');
  if (tty && stdin) requireTerminal();
  using _signals = flags.bool('sig-proxy') && !tty ? proxySignals(client, name) : exitOnSignals();
  const detachKeys = flags.text('detach-keys');
  const output = flags.bool('attach') || stdin;
  const query = { stream: true, stdin, stdout: output, stderr: output, detachKeys: detachKeys || undefined };
  const condition = at(container, 'HostConfig', 'AutoRemove') === true ? 'removed' : 'next-exit';
  const [{ wire }, wait] = await Promise.all([client.hijack(`${path}/attach`, { query }), registerWait(client, name, condition)]);
  try {
    await startOne(client, name, flags.text('runtime'));
  } catch (error) {
    wire.close();
    const status = isEngineError(error) ? (error.exitCode ?? 1) : 1;
    throw new ExitError(status, describeFailure(error));
  }
  return await runAttached({
    wire, tty, stdin, detachKeys,
    resize: ({ rows, columns }) => retryResize(() => client.json('POST', `${path}/resize`, { query: { h: rows, w: columns } })),
  }, () => wait.result);
}

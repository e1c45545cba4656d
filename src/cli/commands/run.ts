import { EngineError, isEngineError } from '../../base/index.ts';
import type { ApiClient } from '../../client/index.ts';
import { containerOptions } from '../../model/options/index.ts';
import type { ClientOptions } from '../../model/options/index.ts';
import type { ContainerCreateRequest } from '../../model/index.ts';
import { type Command, type Context, describeFailure, ExitError } from '../command.ts';
import { createContainer, registerWait, requestOf } from '../create-container.ts';
import { retryResize, runAttached } from '../session/session.ts';
import { proxySignals } from '../session/signals.ts';
import { print } from '../terminal/output.ts';
import { isTerminal, requireTerminal } from '../terminal/terminal.ts';

/**
 * `isula run` (guide 1.3.1.3). Round trips: create; attach and wait side by side; start. Both are in place before the
 * container runs, so that nothing of its output and no exit is missed.
 */
export const run: Command = {
  spec: {
    name: 'run', usage: '[OPTIONS] IMAGE|ROOTFS [COMMAND] [ARG...]', summary: 'Create and run a new container from an image',
    args: { min: 1, max: Number.POSITIVE_INFINITY }, interspersed: false, completes: 'images', flags: containerOptions('run'),
  },
  async run(context) {
    const { request, clientOptions } = requestOf(context);
    if (request.config.Tty && request.config.AttachStdin && !clientOptions.detach) requireTerminal();
    try {
      return await runContainer(context.client, request, clientOptions);
    } catch (error) {
      throw failure(error, context);
    }
  },
};

/** Docker's frame around a failure of run, and its exit status. */
function failure(error: unknown, { name, flags }: Context): unknown {
  if (error instanceof ExitError) {
    return new ExitError(error.status === 1 ? 125 : error.status, error.message.replace(/^(?!isula: |$)/, 'isula: '));
  }
  if (!isEngineError(error)) return error;
  // Guide 1.3.1.3: an entry point that is not there is the engine's failure, not 127.
  const status = error.exitCode === 127 && flags.has('entrypoint') ? 125 : (error.exitCode ?? 125);
  return new ExitError(status, `isula: ${describeFailure(error).replace(/\.$/, '')}.\nSee 'isula ${name} --help'.`);
}

async function runContainer(client: ApiClient, request: ContainerCreateRequest, options: ClientOptions): Promise<number> {
  const { config, hostConfig } = request;
  if (options.detach) {
    const id = await createContainer(client, request, options);
    await client.json('POST', `/containers/${id}/start`);
    print(`${id}\n`);
    return 0;
  }
  const stdin = config.AttachStdin;
  // The two more connections that attach and wait need are made while the container is created.
  const more = Promise.allSettled([client.connect(), client.connect()]);
  const id = await createContainer(client, request, options);
  await more;
  const path = `/containers/${id}`;
  using _signals = options.sigProxy ? proxySignals(client, id) : undefined;
  const query = { stream: true, stdin, stdout: config.AttachStdout, stderr: config.AttachStderr, detachKeys: options.detachKeys || undefined };
  const [{ wire }, wait] = await Promise.all([
    client.hijack(`${path}/attach`, { query }),
    registerWait(client, id, hostConfig.AutoRemove ? 'removed' : 'next-exit'),
  ]);
  try {
    await client.json('POST', `${path}/start`);
  } catch (error) {
    wire.close();
    // --rm: a container that could not start is of no use to anybody. The daemon may be removing it already.
    if (hostConfig.AutoRemove) await client.json('DELETE', path, { query: { force: true, v: true } }).catch(() => undefined);
    throw error;
  }
  const onTerminal = config.Tty && isTerminal(1);
  return await runAttached({
    wire, tty: config.Tty, stdin, detachKeys: options.detachKeys,
    resize: onTerminal ? ({ rows, columns }) => retryResize(
      () => client.json('POST', `${path}/resize`, { query: { h: rows, w: columns } }),
    ) : undefined,
  }, () => wait.result.catch((error: unknown) => {
    throw error instanceof EngineError ? new ExitError(125, `error waiting for container: ${error.message}`) : error;
  }));
}

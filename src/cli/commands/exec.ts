import { readFileSync } from 'node:fs';
import { type ApiClient, at, flagAt, numberAt, textAt } from '../../client/index.ts';
import { parseEnv, parseEnvFile } from '../../model/index.ts';
import { isEngineError, messageOf } from '../../base/index.ts';
import { type Command, containerPath, describeFailure, ExitError } from '../command.ts';
import { retryResize, runAttached } from '../session/session.ts';
import { exitOnSignals } from '../session/signals.ts';
import { isTerminal, requireTerminal, terminalSize } from '../terminal/terminal.ts';

/**
 * `isula exec` (guide 1.3.1.9, docker's 4.5.2.6). Without -d, -i and -t it behaves like `-it` where the caller sits at a
 * terminal, as the guide has it.
 */
export const exec: Command = {
  spec: {
    name: 'exec', usage: '[OPTIONS] CONTAINER COMMAND [ARG...]', summary: 'Execute a command in a running container',
    args: { min: 2, max: Number.POSITIVE_INFINITY }, interspersed: false, completes: 'running',
    flags: [
      { name: 'detach', short: 'd', type: 'bool', help: 'Detached mode: run command in the background' },
      { name: 'detach-keys', type: 'string', help: 'Override the key sequence for detaching a container' },
      { name: 'env', short: 'e', type: 'list', help: 'Set environment variables' },
      { name: 'env-file', type: 'list', help: 'Read in a file of environment variables' },
      { name: 'interactive', short: 'i', type: 'bool', help: 'Keep STDIN open even if not attached' },
      { name: 'privileged', type: 'bool', help: 'Give extended privileges to the command' },
      { name: 'tty', short: 't', type: 'bool', help: 'Allocate a pseudo-TTY' },
      { name: 'user', short: 'u', type: 'string', help: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
      { name: 'workdir', short: 'w', type: 'string', help: 'Working directory inside the container' },
    ],
    notes: 'Without -d, -i and -t, standard input and output being terminals, -it is meant.',
  },
  async run({ client, flags, args: [name = '', ...command] }) {
    const detach = flags.bool('detach');
    const implied = !flags.has('detach') && !flags.has('interactive') && !flags.has('tty') && isTerminal(0) && isTerminal(1);
    const tty = implied || flags.bool('tty');
    const stdin = !detach && (implied || flags.bool('interactive'));
    if (tty && stdin) requireTerminal();
    const size = tty && !detach ? await terminalSize() : undefined;
    const detachKeys = flags.text('detach-keys');
    const created = await client.json('POST', containerPath(name, '/exec'), {
      body: {
        json: {
          AttachStdin: stdin, AttachStdout: !detach, AttachStderr: !detach, DetachKeys: detachKeys, Tty: tty, Cmd: command,
          Env: environment(flags.list('env-file'), flags.list('env')), Privileged: flags.bool('privileged'), User: flags.text('user'),
          WorkingDir: flags.text('workdir'), ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }),
        },
      },
    });
    const path = `/exec/${textAt(created, 'Id')}`;
    try {
      if (detach) {
        await client.json('POST', `${path}/start`, { body: { json: { Detach: true, Tty: tty } } });
        return 0;
      }
      const body = { Detach: false, Tty: tty, ...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] }) };
      const { wire } = await client.hijack(`${path}/start`, { body: { json: body } });
      using _signals = tty ? exitOnSignals() : undefined;
      return await runAttached({
        wire, tty, stdin, detachKeys,
        resize: ({ rows, columns }) => retryResize(() => client.json('POST', `${path}/resize`, { query: { h: rows, w: columns } })),
      }, () => exitCode(client, path));
    } catch (error) {
      if (isEngineError(error) && error.exitCode !== undefined) throw new ExitError(error.exitCode, describeFailure(error));
      throw error;
    }
  },
};

function environment(files: readonly string[], variables: readonly string[]): string[] {
  const lookUp = (name: string): string | undefined => process.env[name];
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new ExitError(125, `Cannot read --env-file ${path}: ${messageOf(error)}`);
    }
  };
  return [...files.flatMap((path) => parseEnvFile(read(path), path, lookUp)), ...variables.map((text) => parseEnv(text, lookUp))];
}

const exitPollMs = 10;
const exitPollMax = 500;

/** The session's exit code. The streams may end a moment before the code is known. */
async function exitCode(client: ApiClient, path: string): Promise<number> {
  for (let left = exitPollMax; ; left--) {
    const session = await client.json('GET', `${path}/json`);
    if (!flagAt(session, 'Running') && at(session, 'ExitCode') !== null) return numberAt(session, 'ExitCode');
    // It closed its streams and goes on: docker reports 0 then.
    if (left === 0) return 0;
    await Bun.sleep(exitPollMs);
  }
}

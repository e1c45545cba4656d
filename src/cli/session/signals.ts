import type { ApiClient } from '../../client/index.ts';
import { containerPath } from '../command.ts';

/** What --sig-proxy passes on. Not SIGCHLD, SIGPIPE, SIGURG and SIGWINCH, which mean the client; SIGKILL and SIGSTOP cannot be caught. */
const proxied = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM', 'SIGCONT', 'SIGTSTP'] as const;
/** Those that end the command when they are not passed on. */
const ending = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;
const numbers: Readonly<Record<(typeof ending)[number], number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };

/** Passes the signals that this process gets on to a container, as long as the result is not disposed of. */
export function proxySignals(client: ApiClient, container: string): Disposable {
  const handlers = proxied.map((name) => {
    const handler = (): void => {
      // It may have ended, or not have started yet: docker drops the signal as well.
      client.json('POST', containerPath(container, '/kill'), { query: { signal: name.slice(3) } }).catch(() => undefined);
    };
    process.on(name, handler);
    return { name, handler };
  });
  return {
    [Symbol.dispose]() {
      for (const { name, handler } of handlers) process.off(name, handler);
    },
  };
}

/** Ends the command by way of `process.exit`, so that the terminal's mode is restored, as the signal would have ended it. */
export function exitOnSignals(): Disposable {
  const handlers = ending.map((name) => {
    const handler = (): void => process.exit(128 + numbers[name]);
    process.on(name, handler);
    return { name, handler };
  });
  return {
    [Symbol.dispose]() {
      for (const { name, handler } of handlers) process.off(name, handler);
    },
  };
}

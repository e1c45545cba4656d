import { isEngineError } from '../../base/index.ts';
import { at, numberAt, textAt } from '../../client/index.ts';
import { type Command, containerPath, ExitError, forEachArgument } from '../command.ts';
import type { Flag } from '../flags/index.ts';

const many = Number.POSITIVE_INFINITY;
const timeFlag: Flag = {
  name: 'time', short: 't', type: 'int', aliases: ['timeout'], metavar: 'int',
  help: 'Seconds to wait before killing the container (0: kill at once, negative: wait for ever; default 10, or the container\'s own)',
};
const signalFlag: Flag = { name: 'signal', short: 's', type: 'string', help: 'Signal to send to the container' };

/** `isula stop` (guide 1.3.1.4). */
export const stop: Command = {
  spec: {
    name: 'stop', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Stop one or more running containers', args: { min: 1, max: many },
    completes: 'running',
    flags: [timeFlag, signalFlag, { name: 'force', short: 'f', type: 'bool', help: 'Stop by force: kill at once' }],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (name) => {
      const query = { t: flags.bool('force') ? 0 : flags.int('time'), signal: flags.text('signal') || undefined };
      await client.json('POST', containerPath(name, '/stop'), { query }).catch(unlessUnchanged);
      return name;
    }),
};

/** Docker's API answers 304 where there is nothing to do; that is success. */
function unlessUnchanged(error: unknown): void {
  if (!isEngineError(error, 'notModified')) throw error;
}

export const restart: Command = {
  spec: {
    name: 'restart', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Restart one or more containers', args: { min: 1, max: many },
    completes: 'containers',
    flags: [timeFlag, signalFlag],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (name) => {
      await client.json('POST', containerPath(name, '/restart'), { query: { t: flags.int('time'), signal: flags.text('signal') || undefined } });
      return name;
    }),
};

export const kill: Command = {
  spec: {
    name: 'kill', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Kill one or more running containers', args: { min: 1, max: many },
    completes: 'running',
    flags: [{ ...signalFlag, help: 'Signal to send to the container', default: 'KILL' }],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (name) => {
      await client.json('POST', containerPath(name, '/kill'), { query: { signal: flags.text('signal') } });
      return name;
    }),
};

/** Pause and unpause differ in one word. */
function freezer(name: 'pause' | 'unpause', summary: string): Command {
  return {
    spec: { name, usage: 'CONTAINER [CONTAINER...]', summary, args: { min: 1, max: many }, completes: 'running', flags: [] },
    run: ({ client, args }) =>
      forEachArgument(args, async (container) => {
        await client.json('POST', containerPath(container, `/${name}`));
        return container;
      }),
  };
}

export const pause = freezer('pause', 'Pause all processes within one or more containers');
export const unpause = freezer('unpause', 'Unpause all processes within one or more containers');

export const rename: Command = {
  spec: { name: 'rename', usage: 'OLD_NAME NEW_NAME', summary: 'Rename a container', args: { min: 2, max: 2 }, completes: 'containers', flags: [] },
  async run({ client, args: [from = '', to = ''] }) {
    if (from.trim() === '' || to.trim() === '') throw new ExitError(1, 'Error: Neither old nor new names may be empty');
    await client.json('POST', containerPath(from, '/rename'), { query: { name: to } });
    return 0;
  },
};

export const rm: Command = {
  spec: {
    name: 'rm', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Remove one or more containers', args: { min: 1, max: many },
    completes: 'containers',
    flags: [
      { name: 'force', short: 'f', type: 'bool', help: 'Force the removal of a running container (uses SIGKILL)' },
      { name: 'link', short: 'l', type: 'bool', help: 'Remove the specified link' },
      { name: 'volumes', short: 'v', type: 'bool', aliases: ['volume'], help: 'Remove anonymous volumes associated with the container' },
    ],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (name) => {
      await client.json('DELETE', containerPath(name), { query: { force: flags.bool('force'), v: flags.bool('volumes'), link: flags.bool('link') } });
      return name;
    }),
};

/** `isula wait`: prints the exit codes in the order the containers were named. */
export const wait: Command = {
  spec: {
    name: 'wait', usage: 'CONTAINER [CONTAINER...]', summary: 'Block until one or more containers stop, then print their exit codes',
    args: { min: 1, max: many },
    completes: 'running', flags: [],
  },
  run: ({ client, args }) =>
    forEachArgument(args, async (name) => {
      const result = await client.json('POST', containerPath(name, '/wait'));
      const failure = textAt(at(result, 'Error'), 'Message');
      if (failure !== '') throw new ExitError(1, failure);
      return String(numberAt(result, 'StatusCode'));
    }),
};

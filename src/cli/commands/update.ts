import { isEngineError } from '../../base/index.ts';
import { textsAt } from '../../client/index.ts';
import { buildUpdate, containerOptions } from '../../model/options/index.ts';
import { type Command, containerPath, forEachArgument } from '../command.ts';
import { UsageError } from '../flags/index.ts';
import { printError } from '../terminal/output.ts';

/** `isula update` (docker's 4.5.2.21). */
export const update: Command = {
  spec: {
    name: 'update', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Update configuration of one or more containers',
    args: { min: 1, max: Number.POSITIVE_INFINITY }, completes: 'containers', flags: containerOptions('update'),
  },
  run({ client, flags, args }) {
    const json = changes(flags.parsed.values);
    return forEachArgument(args, async (name) => {
      const answer = await client.json('POST', containerPath(name, '/update'), { body: { json } });
      for (const warning of textsAt(answer, 'Warnings')) printError(`WARNING: ${warning}\n`);
      return name;
    });
  },
};

function changes(values: Parameters<typeof buildUpdate>[0]): ReturnType<typeof buildUpdate> {
  try {
    return buildUpdate(values);
  } catch (error) {
    throw isEngineError(error, 'invalidArgument') ? new UsageError(error.message) : error;
  }
}

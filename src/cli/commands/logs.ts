import { demultiplex, flagAt } from '../../client/index.ts';
import { formatTimestamp, parseTimestamp } from '../../model/index.ts';
import { type Command, containerPath, type Context, ExitError } from '../command.ts';
import { writeAll } from '../terminal/output.ts';

/** `isula logs` (guide 1.3.1.16: several containers, one after the other; docker's 4.5.2.9). */
export const logs: Command = {
  spec: {
    name: 'logs', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Fetch the logs of a container',
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    completes: 'containers',
    flags: [
      { name: 'details', type: 'bool', help: 'Show extra details provided to logs' },
      { name: 'follow', short: 'f', type: 'bool', help: 'Follow log output' },
      { name: 'since', type: 'string', help: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' },
      { name: 'tail', short: 'n', type: 'string', default: 'all', help: 'Number of lines to show from the end of the logs' },
      { name: 'timestamps', short: 't', type: 'bool', help: 'Show timestamps' },
      { name: 'until', type: 'string', help: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' },
    ],
  },
  async run(context) {
    const tail = context.flags.text('tail');
    // Docker takes any other word for `all`: a slip of the finger prints everything.
    if (!/^(all|-?[0-9]+|)$/.test(tail)) throw new ExitError(1, `invalid argument "${tail}" for "-n, --tail" flag: want a number of lines or all`);
    if (context.flags.bool('follow') && context.args.length > 1) throw new ExitError(1, 'Only one container can be followed');
    for (const name of context.args) await showLog(context, name);
    return 0;
  },
};

async function showLog({ client, flags }: Context, name: string): Promise<void> {
  const path = containerPath(name);
  const container = await client.json('GET', `${path}/json`);
  const { body } = await client.open('GET', `${path}/logs`, {
    query: {
      stdout: true, stderr: true, follow: flags.bool('follow'), timestamps: flags.bool('timestamps'), details: flags.bool('details'),
      since: momentQuery(flags.text('since')), until: momentQuery(flags.text('until')), tail: flags.text('tail') || 'all',
    },
  });
  if (!flagAt(container, 'Config', 'Tty')) return await demultiplex(body, writeAll);
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) await writeAll(1, chunk);
}

/** A moment as the API takes it; relative ones are reckoned by this machine's clock. */
export function momentQuery(text: string): string | undefined {
  return text === '' ? undefined : formatTimestamp(parseTimestamp(text, Date.now()));
}

import { listAt, textsAt } from '../../client/index.ts';
import { type Command, containerPath } from '../command.ts';
import { alignRows } from '../format/table.ts';
import { print } from '../terminal/output.ts';

export const top: Command = {
  spec: {
    name: 'top', usage: 'CONTAINER [ps OPTIONS]', summary: 'Display the running processes of a container',
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    interspersed: false, completes: 'running', flags: [],
  },
  async run({ client, args: [name = '', ...psOptions] }) {
    const table = await client.json('GET', containerPath(name, '/top'), { query: { ps_args: psOptions.join(' ') || undefined } });
    const rows = listAt(table, 'Processes').map((row) => (Array.isArray(row) ? row.map(String) : []));
    print(alignRows([textsAt(table, 'Titles'), ...rows]));
    return 0;
  },
};

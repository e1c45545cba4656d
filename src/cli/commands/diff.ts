import { numberAt, textAt } from '../../client/index.ts';
import { type Command, containerPath } from '../command.ts';
import { printList } from '../format/list.ts';
import { print } from '../terminal/output.ts';

const kinds = ['C', 'A', 'D'];

export const diff: Command = {
  spec: {
    name: 'diff', usage: '[OPTIONS] CONTAINER', summary: "Inspect changes to files or directories on a container's filesystem",
    args: { min: 1, max: 1 },
    completes: 'containers', flags: [{ name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" }],
  },
  async run({ client, flags, args: [name = ''] }) {
    const changes = await client.json('GET', containerPath(name, '/changes'));
    const rows = (Array.isArray(changes) ? changes : []).map(
      (change) => ({ Type: kinds[numberAt(change, 'Kind')] ?? '?', Path: textAt(change, 'Path') }),
    );
    const format = flags.text('format');
    if (format === '') print(rows.map((row) => `${row.Type} ${row.Path}\n`).join(''));
    else await printList({ format, columns: ['Type', 'Path'], titles: { Type: 'CHANGE TYPE', Path: 'PATH' }, context: 'diffContext' }, rows);
    return 0;
  },
};

import { type Command, containerPath } from '../command.ts';
import { saveBody } from '../terminal/save-file.ts';

export const exportContainer: Command = {
  spec: {
    name: 'export', usage: '[OPTIONS] CONTAINER', summary: "Export a container's filesystem as a tar archive", args: { min: 1, max: 1 },
    completes: 'containers',
    flags: [{ name: 'output', short: 'o', type: 'string', help: 'Write to a file, instead of STDOUT' }],
  },
  async run({ client, flags, args: [name = ''] }) {
    await saveBody(flags.text('output'), async () => (await client.open('GET', containerPath(name, '/export'))).body);
    return 0;
  },
};

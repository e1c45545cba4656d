import { textAt } from '../../client/index.ts';
import { type Command } from '../command.ts';
import { splitTag } from '../reference.ts';
import { print } from '../terminal/output.ts';

export const commit: Command = {
  spec: {
    name: 'commit', usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]', summary: "Create a new image from a container's changes",
    args: { min: 1, max: 2 },
    completes: 'containers',
    flags: [
      { name: 'author', short: 'a', type: 'string', help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")' },
      { name: 'change', short: 'c', type: 'list', help: 'Apply Dockerfile instruction to the created image' },
      { name: 'message', short: 'm', type: 'string', help: 'Commit message' },
      { name: 'pause', short: 'p', type: 'bool', default: 'true', help: 'Pause container during commit' },
    ],
  },
  async run({ client, flags, args: [container = '', reference = ''] }) {
    const { repository, tag } = splitTag(reference);
    const created = await client.json('POST', '/commit', {
      query: {
        container, repo: repository || undefined, tag: tag || undefined, comment: flags.text('message') || undefined,
        author: flags.text('author') || undefined,
        pause: flags.bool('pause') ? 1 : 0, changes: flags.list('change'),
      },
    });
    print(`${textAt(created, 'Id')}\n`);
    return 0;
  },
};

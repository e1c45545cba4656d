import { containerOptions } from '../../model/options/index.ts';
import type { Command } from '../command.ts';
import { createContainer, requestOf } from '../create-container.ts';
import { print } from '../terminal/output.ts';

export const create: Command = {
  spec: {
    name: 'create', usage: '[OPTIONS] IMAGE|ROOTFS [COMMAND] [ARG...]', summary: 'Create a new container',
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    interspersed: false, completes: 'images', flags: containerOptions('create'),
  },
  async run(context) {
    const { request, clientOptions } = requestOf(context);
    print(`${await createContainer(context.client, request, clientOptions)}\n`);
    return 0;
  },
};

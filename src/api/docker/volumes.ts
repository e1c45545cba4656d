import { JsonObject } from '../../model/index.ts';
import type { Call } from './call.ts';
import { pruneOptions } from './prune-options.ts';
import { route } from './router.ts';

async function list(call: Call): Promise<void> {
  const { Volumes, Warnings } = await call.engine.volumes.list(call.query.filters());
  call.send(200, { Volumes, Warnings: Warnings.length === 0 ? null : Warnings });
}

async function create(call: Call): Promise<void> {
  const body = new JsonObject((await call.json()) ?? {}, '');
  const request = {
    Name: body.string('Name'), Driver: body.string('Driver') || 'local', DriverOpts: body.stringMap('DriverOpts'),
    Labels: body.stringMap('Labels'),
  };
  call.send(201, await call.engine.volumes.create(request));
}

async function inspect(call: Call): Promise<void> {
  call.send(200, await call.engine.volumes.inspect(call.parameter('name')));
}

async function remove(call: Call): Promise<void> {
  await call.engine.volumes.remove(call.parameter('name'), call.query.boolean('force'));
  call.empty(204);
}

async function prune(call: Call): Promise<void> {
  call.send(200, await call.engine.volumes.prune(call.query.filters(), await pruneOptions(call)));
}

export const volumeRoutes = [
  route('GET', '/volumes', list),
  route('POST', '/volumes/create', create),
  route('POST', '/volumes/prune', prune, '1.25'),
  route('GET', '/volumes/{name}', inspect),
  route('DELETE', '/volumes/{name}', remove),
];

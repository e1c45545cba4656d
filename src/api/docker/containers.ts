import { isRecord } from '../../base/index.ts';
import { decodeContainerConfig, decodeCreateRequest, decodeUpdate } from '../../model/index.ts';
import type { Call } from './call.ts';
import { badRequest } from './errors.ts';
import { unsupported } from './refuse.ts';
import { pruneOptions } from './prune-options.ts';
import { route } from './router.ts';

async function list(call: Call): Promise<void> {
  const { query } = call;
  // Docker: a negative limit is none.
  const limit = Math.max(0, query.integer('limit') ?? 0);
  call.send(200, await call.engine.containers.list({ all: query.boolean('all'), limit, size: query.boolean('size'), filters: query.filters() }));
}

async function create(call: Call): Promise<void> {
  const body = await call.json();
  if (body === undefined) throw badRequest('invalid JSON: got EOF while reading request body');
  const request = decodeCreateRequest(body, call.query.string('name').replace(/^\//, ''), call.query.string('platform'));
  call.send(201, await call.engine.containers.create(request));
}

async function inspect(call: Call): Promise<void> {
  call.send(200, await call.engine.containers.inspect(id(call), { size: call.query.boolean('size') }));
}

async function start(call: Call): Promise<void> {
  if (call.hasBody) {
    // Old clients send `{}` or null; a HostConfig has not been taken here since API 1.24.
    const body = await call.json();
    if (isRecord(body) && Object.keys(body).length > 0) {
      throw badRequest('starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24');
    }
  }
  if (call.query.string('checkpoint') !== '') throw unsupported('checkpoints');
  const runtime = call.query.string('runtime');
  await call.engine.containers.start(id(call), { ...(runtime === '' ? {} : { runtime }) });
  call.empty(204);
}

/** `t` and `signal` of stop and restart. */
function stopOptions(call: Call): { timeoutSeconds: number | undefined; signal?: string } {
  const signal = call.version.atLeast('1.42') ? call.query.string('signal') : '';
  return { timeoutSeconds: call.query.integer('t'), ...(signal === '' ? {} : { signal }) };
}

async function stop(call: Call): Promise<void> {
  await call.engine.containers.stop(id(call), { ...stopOptions(call), ...(call.query.boolean('force') ? { force: true } : {}) });
  call.empty(204);
}

async function restart(call: Call): Promise<void> {
  await call.engine.containers.restart(id(call), stopOptions(call));
  call.empty(204);
}

async function kill(call: Call): Promise<void> {
  await call.engine.containers.kill(id(call), call.query.string('signal'));
  call.empty(204);
}

async function pause(call: Call): Promise<void> {
  await call.engine.containers.pause(id(call));
  call.empty(204);
}

async function unpause(call: Call): Promise<void> {
  await call.engine.containers.unpause(id(call));
  call.empty(204);
}

async function rename(call: Call): Promise<void> {
  await call.engine.containers.rename(id(call), call.query.string('name').replace(/^\//, ''));
  call.empty(204);
}

async function update(call: Call): Promise<void> {
  const changes = decodeUpdate((await call.json()) ?? {});
  call.send(200, await call.engine.containers.update(id(call), changes));
}

async function resize(call: Call): Promise<void> {
  const { height, width } = windowSize(call);
  await call.engine.containers.resize(id(call), height, width);
  call.empty(200);
}

/** The `h` and `w` of a terminal, in characters. @throws invalidArgument */
export function windowSize(call: Call): { height: number; width: number } {
  const height = call.query.integer('h');
  const width = call.query.integer('w');
  for (const [name, value] of [['h', height], ['w', width]] as const) {
    if (value !== undefined && value >= 0 && value <= 65_535) continue;
    throw badRequest(`invalid terminal size ${name}="${call.query.string(name)}": want 0 to 65535`);
  }
  return { height: height ?? 0, width: width ?? 0 };
}

async function top(call: Call): Promise<void> {
  call.send(200, await call.engine.containers.top(id(call), call.query.has('ps_args') ? call.query.string('ps_args') : '-ef'));
}

async function changes(call: Call): Promise<void> {
  call.send(200, await call.engine.containers.changes(id(call)));
}

async function remove(call: Call): Promise<void> {
  if (call.query.boolean('link')) throw unsupported('links between containers');
  await call.engine.containers.remove(id(call), { force: call.query.boolean('force'), volumes: call.query.boolean('v') });
  call.empty(204);
}

async function prune(call: Call): Promise<void> {
  call.send(200, await call.engine.containers.prune(call.query.filters(), await pruneOptions(call)));
}

async function commit(call: Call): Promise<void> {
  const { query } = call;
  const body = await call.json();
  const repository = query.string('repo');
  const tag = query.string('tag');
  const request = {
    container: query.string('container'), reference: repository !== '' && tag !== '' ? `${repository}:${tag}` : repository,
    comment: query.string('comment'), author: query.string('author'), pause: query.boolean('pause', true), changes: query.strings('changes'),
    config: isRecord(body) ? decodeContainerConfig(body) : undefined,
  };
  if (request.container === '') throw badRequest('no container to commit: the parameter "container" is missing');
  call.send(201, await call.engine.containers.commit(request, call.signal));
}

export function id(call: Call): string {
  return call.parameter('id');
}

export const containerRoutes = [
  route('GET', '/containers/json', list),
  route('POST', '/containers/create', create),
  route('POST', '/containers/prune', prune, '1.25'),
  route('GET', '/containers/{id}/json', inspect),
  route('GET', '/containers/{id}/top', top),
  route('GET', '/containers/{id}/changes', changes),
  route('POST', '/containers/{id}/start', start),
  route('POST', '/containers/{id}/stop', stop),
  route('POST', '/containers/{id}/restart', restart),
  route('POST', '/containers/{id}/kill', kill),
  route('POST', '/containers/{id}/pause', pause),
  route('POST', '/containers/{id}/unpause', unpause),
  route('POST', '/containers/{id}/rename', rename),
  route('POST', '/containers/{id}/update', update),
  route('POST', '/containers/{id}/resize', resize),
  route('DELETE', '/containers/{id}', remove),
  route('POST', '/commit', commit),
];

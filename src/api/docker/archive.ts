import type { PathStat } from '../../engine/index.ts';
import type { Call } from './call.ts';
import { id } from './containers.ts';
import { badRequest } from './errors.ts';
import { route } from './router.ts';
import { sendBytes } from './streams.ts';

function pathOf(call: Call): string {
  const path = call.query.string('path');
  if (path === '') throw badRequest('missing path: the parameter "path" is empty');
  return path;
}

function setStat(call: Call, stat: PathStat): void {
  call.response.setHeader('X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify(stat)).toString('base64'));
}

async function head(call: Call): Promise<void> {
  setStat(call, await call.engine.containers.archiveStat(id(call), pathOf(call)));
  call.response.writeHead(200, { 'Content-Type': 'application/json' });
  call.response.end();
}

async function get(call: Call): Promise<void> {
  const { stat, tar } = await call.engine.containers.archiveGet(id(call), pathOf(call), call.signal);
  setStat(call, stat);
  await sendBytes(call, 'application/x-tar', tar);
}

async function put(call: Call): Promise<void> {
  const options = { noOverwriteDirNonDir: call.query.boolean('noOverwriteDirNonDir'), copyUidGid: call.query.boolean('copyUIDGID') };
  await call.engine.containers.archivePut(id(call), pathOf(call), call.request, options, call.signal);
  call.empty(200);
}

async function exportRoot(call: Call): Promise<void> {
  await sendBytes(call, 'application/octet-stream', await call.engine.containers.export(id(call), call.signal));
}

export const archiveRoutes = [
  route('HEAD', '/containers/{id}/archive', head),
  route('GET', '/containers/{id}/archive', get),
  route('PUT', '/containers/{id}/archive', put),
  route('GET', '/containers/{id}/export', exportRoot),
];

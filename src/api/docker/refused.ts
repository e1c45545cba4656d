import { EngineError } from '../../base/index.ts';
import { unsupported } from './refuse.ts';
import { type Route, route } from './router.ts';

/** Routes of the Docker Engine API that say clearly why they do nothing, instead of `page not found`. */
function refuse(what: string, paths: readonly string[]): Route[] {
  const handler = (): never => {
    throw unsupported(what);
  };
  const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const;
  return paths.flatMap((path) => methods.map((method) => route(method, path, handler)));
}

function buildRefused(): never {
  throw new EngineError('unsupported', 'image builds are not supported by iSula yet');
}

export const refusedRoutes: readonly Route[] = [
  route('POST', '/build', buildRefused),
  route('POST', '/build/cancel', buildRefused),
  route('POST', '/session', buildRefused),
  route('POST', '/grpc', buildRefused),
  route('GET', '/containers/{id}/attach/ws', () => {
    throw unsupported('WebSocket attachments');
  }),
  ...refuse('checkpoints', ['/containers/{id}/checkpoints', '/containers/{id}/checkpoints/{checkpoint}']),
  ...refuse('swarm services', ['/swarm', '/swarm/{x*}', '/nodes', '/nodes/{x*}', '/services', '/services/{x*}', '/tasks', '/tasks/{x*}']),
  ...refuse('swarm secrets and configs', ['/secrets', '/secrets/{x*}', '/configs', '/configs/{x*}']),
  ...refuse('plugins', ['/plugins', '/plugins/{x*}']),
];

import { createHash } from 'node:crypto';
import { EngineError, checkFilters, zeroTime } from '../../base/index.ts';
import type { Call } from './call.ts';
import { unsupported } from './refuse.ts';
import { route } from './router.ts';

/** The two networks that need no management: a container's own empty stack, and the host's. */
const predefined = ['host', 'none'] as const;

interface Network {
  readonly Name: string;
  readonly Id: string;
  readonly Driver: string;
}

function network(name: (typeof predefined)[number]): Network & Record<string, unknown> {
  return {
    Name: name,
    // The same after every start, as clients keep it.
    Id: createHash('sha256').update(`isula network ${name}`).digest('hex'),
    Created: zeroTime,
    Scope: 'local',
    Driver: name === 'none' ? 'null' : 'host',
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: null },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  };
}

function find(reference: string): (Network & Record<string, unknown>) | undefined {
  const all = predefined.map(network);
  return all.find(({ Name, Id }) => Name === reference || Id === reference) ?? all.find(({ Id }) => reference.length > 0 && Id.startsWith(reference));
}

function list(call: Call): void {
  const filters = call.query.filters();
  checkFilters(filters, ['name', 'id', 'driver', 'type', 'scope', 'label', 'dangling']);
  const matches = ({ Name, Id, Driver }: Network): boolean => {
    const some = (filter: string, test: (wanted: string) => boolean): boolean => filters.get(filter)?.some(test) ?? true;
    return some('name', (wanted) => Name.includes(wanted)) && some('id', (wanted) => Id.startsWith(wanted))
      && some('driver', (wanted) => Driver === wanted) && some('type', (wanted) => wanted === 'builtin')
      && some('scope', (wanted) => wanted === 'local') && !filters.has('label')
      && some('dangling', (wanted) => wanted === 'false' || wanted === '0');
  };
  call.send(200, predefined.map(network).filter(matches));
}

function inspect(call: Call): void {
  const found = find(call.parameter('id'));
  if (found === undefined) throw new EngineError('notFound', `network ${call.parameter('id')} not found`);
  call.send(200, found);
}

function remove(call: Call): void {
  const found = find(call.parameter('id'));
  if (found === undefined) throw new EngineError('notFound', `network ${call.parameter('id')} not found`);
  throw new EngineError('forbidden', `${found.Name} is a pre-defined network and cannot be removed`);
}

function refuse(): never {
  throw unsupported('user-defined networks');
}

export const networkRoutes = [
  route('GET', '/networks', list),
  route('POST', '/networks/create', refuse),
  // Nothing but the predefined networks exists: there is nothing to prune.
  route('POST', '/networks/prune', (call) => call.send(200, { NetworksDeleted: null }), '1.25'),
  route('GET', '/networks/{id}', inspect),
  route('DELETE', '/networks/{id}', remove),
  route('POST', '/networks/{id}/connect', refuse),
  route('POST', '/networks/{id}/disconnect', refuse),
];

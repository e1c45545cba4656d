import { isRecord } from '../../base/index.ts';
import { JsonObject } from '../../model/index.ts';
import type { Call } from './call.ts';
import { badRequest } from './errors.ts';
import { route } from './router.ts';
import { sendJsonLines } from './streams.ts';
import { maxApiVersion, minApiVersion } from './version.ts';

function ping(call: Call): void {
  const { request, response } = call;
  // Builder-Version 1: no BuildKit here. `docker run` and others ask for it on every start: keep it cheap.
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '2', 'Cache-Control': 'no-cache, no-store, must-revalidate', Pragma: 'no-cache',
    'Builder-Version': '1', Swarm: 'inactive',
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

function version(call: Call): void {
  const facts = call.engine.system.version();
  const range = { ApiVersion: maxApiVersion, MinAPIVersion: minApiVersion };
  const components: unknown[] = Array.isArray(facts['Components']) ? facts['Components'] : [];
  const [engine, ...others] = components;
  const given = isRecord(engine) && isRecord(engine['Details']) ? engine['Details'] : {};
  // Docker's clients show these of the first component, not of the top level.
  const copied = Object.fromEntries(['Arch', 'BuildTime', 'GitCommit', 'GoVersion', 'KernelVersion', 'Os'].map((name) => [name, facts[name] ?? '']));
  const first = isRecord(engine) ? [{ ...engine, Details: { ...copied, ...range, Experimental: 'false', ...given } }] : [];
  call.send(200, { ...facts, ...range, Components: [...first, ...others] });
}

async function info(call: Call): Promise<void> {
  call.send(200, await call.engine.system.info());
}

/** Docker's clients keep credentials themselves and have them verified only; `isula login` (`?keep=1`, an extension) leaves them with the daemon. */
async function auth(call: Call): Promise<void> {
  const body = new JsonObject(await call.json(), '');
  const given = {
    username: body.string('username'), password: body.string('password'), identitytoken: body.string('identitytoken'),
    serveraddress: body.string('serveraddress'),
  };
  const { status, identityToken } = await call.engine.images.login(given, call.query.boolean('keep'), call.signal);
  call.send(200, { Status: status, IdentityToken: identityToken });
}

/** isula: forgets a registry's credentials (`?server=`). */
async function logout(call: Call): Promise<void> {
  await call.engine.images.logout(call.query.string('server'));
  call.empty(204);
}

async function events(call: Call): Promise<void> {
  const since = call.query.timestamp('since');
  const until = call.query.timestamp('until');
  if (since !== undefined && until !== undefined && since > until) {
    throw badRequest(`\`since\` time (${call.query.string('since')}) cannot be after \`until\` time (${call.query.string('until')})`);
  }
  await sendJsonLines(call, call.engine.system.events({ since, until, filters: call.query.filters() }, call.signal));
}

async function diskUsage(call: Call): Promise<void> {
  call.send(200, await call.engine.system.diskUsage());
}

async function check(call: Call): Promise<void> {
  const options = { repair: call.query.boolean('repair'), content: call.query.boolean('content') };
  call.send(200, await call.engine.system.check(options, call.signal));
}

/** There is no build cache: pruning it (`docker system prune` does) frees nothing. */
function pruneBuildCache(call: Call): void {
  call.send(200, { CachesDeleted: null, SpaceReclaimed: 0 });
}

export const systemRoutes = [
  route('GET', '/_ping', ping),
  route('HEAD', '/_ping', ping),
  route('GET', '/version', version),
  route('GET', '/info', info),
  route('POST', '/auth', auth),
  route('POST', '/logout', logout),
  route('GET', '/events', events),
  route('GET', '/system/df', diskUsage, '1.25'),
  route('POST', '/system/check', check),
  route('GET', '/system/check', (call) => check(call)),
  route('POST', '/build/prune', pruneBuildCache, '1.31'),
];

import type { Call } from './call.ts';
import { badRequest } from './errors.ts';
import { imageInspect, imageSummary } from './image-shapes.ts';
import { pruneOptions } from './prune-options.ts';
import { route } from './router.ts';
import { decodeRegistryAuth } from './registry-auth.ts';

export function imageName(call: Call): string {
  return call.parameter('name');
}

function list(call: Call): void {
  const filters = call.query.filters();
  // Before API 1.28 a parameter of its own.
  const name = call.query.string('filter');
  if (name !== '' && !call.version.atLeast('1.28')) filters.set('reference', [...(filters.get('reference') ?? []), name]);
  const images = call.engine.images.list(filters, call.query.boolean('all'));
  call.send(200, images.map((image) => imageSummary(image, call.version)));
}

async function inspect(call: Call): Promise<void> {
  const image = call.engine.images.resolve(imageName(call));
  const { Driver: driver } = await call.engine.system.info();
  call.send(200, imageInspect(image, typeof driver === 'string' ? driver : '', call.version));
}

function history(call: Call): void {
  call.send(200, call.engine.images.history(imageName(call)));
}

async function tag(call: Call): Promise<void> {
  const repository = call.query.string('repo');
  if (repository === '') throw badRequest('invalid reference format: the parameter "repo" is empty');
  await call.engine.images.tag(imageName(call), repository, call.query.string('tag'));
  call.empty(201);
}

async function remove(call: Call): Promise<void> {
  const options = { force: call.query.boolean('force'), noPrune: call.query.boolean('noprune') };
  call.send(200, await call.engine.images.remove(imageName(call), options));
}

async function prune(call: Call): Promise<void> {
  const { reports, spaceReclaimed } = await call.engine.images.prune(call.query.filters(), await pruneOptions(call));
  call.send(200, { ImagesDeleted: reports.length === 0 ? null : reports, SpaceReclaimed: spaceReclaimed });
}

/** Docker's default and most rows of a search. */
const searchLimitDefault = 25;
const searchLimitMax = 100;

async function search(call: Call): Promise<void> {
  const { query } = call;
  const limit = query.integer('limit') ?? searchLimitDefault;
  if (limit < 1 || limit > searchLimitMax) throw badRequest(`Limit ${limit} is outside the range of [1, ${searchLimitMax}]`);
  const auth = decodeRegistryAuth(call.header('x-registry-auth'));
  call.send(200, await call.engine.images.search({ term: query.string('term'), limit, filters: query.filters(), auth }, call.signal));
}

async function distribution(call: Call): Promise<void> {
  call.send(200, await call.engine.images.distribution(imageName(call), decodeRegistryAuth(call.header('x-registry-auth')), call.signal));
}

export const imageRoutes = [
  route('GET', '/images/json', list),
  route('GET', '/images/search', search),
  route('POST', '/images/prune', prune, '1.25'),
  route('GET', '/images/{name*}/json', inspect),
  route('GET', '/images/{name*}/history', history),
  route('POST', '/images/{name*}/tag', tag),
  route('DELETE', '/images/{name*}', remove),
  route('GET', '/distribution/{name*}/json', distribution, '1.30'),
];

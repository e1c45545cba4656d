import type { Call } from './call.ts';
import { badRequest } from './errors.ts';
import { imageName } from './images.ts';
import { decodeRegistryAuth } from './registry-auth.ts';
import { unsupported } from './refuse.ts';
import { route } from './router.ts';
import { sendBytes, sendProgress } from './streams.ts';

/** POST /images/create: a pull (`fromImage`) or an import (`fromSrc`). */
async function create(call: Call): Promise<void> {
  const { query } = call;
  if (query.string('fromImage') !== '') return pull(call);
  const source = query.string('fromSrc');
  if (source === '') throw badRequest('nothing to create an image from: neither "fromImage" nor "fromSrc" is given');
  const repository = query.string('repo');
  const tag = query.string('tag');
  const options = {
    reference: repository !== '' && tag !== '' ? `${repository}:${tag}` : repository,
    // Docker's words, which `history` shows (guide 4.5.3.2).
    message: query.string('message') || `Imported from ${source}`,
    changes: query.strings('changes'), platform: query.string('platform'),
  };
  await sendProgress(call, async (progress, signal) => {
    if (source === '-') {
      await call.engine.images.import(call.request, options, progress, signal);
      return;
    }
    // Docker's clients send a host and a path for http.
    const url = source.includes('://') ? source : `http://${source}`;
    const archive = await call.engine.images.openRemoteArchive(url, signal);
    progress({ status: `Downloading from ${url}` });
    await call.engine.images.import(archive, options, progress, signal);
  });
}

async function pull(call: Call): Promise<void> {
  const name = call.query.string('fromImage');
  const tag = call.query.string('tag');
  const separator = tag.startsWith('sha256:') ? '@' : ':';
  const reference = tag === '' ? name : `${name}${separator}${tag}`;
  // Docker: a name with neither tag nor digest means every tag of the repository.
  const all = tag === '' && !name.includes('@') && !name.slice(name.lastIndexOf('/') + 1).includes(':');
  const request = { reference, all, platform: call.query.string('platform'), auth: decodeRegistryAuth(call.header('x-registry-auth')) };
  await sendProgress(call, async (progress, signal) => {
    await call.engine.images.pull(request, progress, signal);
  });
}

async function push(call: Call): Promise<void> {
  const tag = call.query.string('tag');
  const reference = tag === '' ? imageName(call) : `${imageName(call)}:${tag}`;
  const auth = decodeRegistryAuth(call.header('x-registry-auth'));
  if (call.query.string('platform') !== '') throw unsupported('pushes of one platform');
  await sendProgress(call, (progress, signal) => call.engine.images.push({ reference, all: tag === '', auth }, progress, signal));
}

/** POST /images/load; isula: `tag`, `type` (`docker` or `embedded`, guide 1.3.6.2), and of the latter `path`, where the manifest is on this host. */
async function load(call: Call): Promise<void> {
  const { query } = call;
  const type = query.string('type') || 'docker';
  if (type !== 'docker' && type !== 'oci' && type !== 'embedded') {
    throw badRequest(`invalid image type "${type.slice(0, 80)}": want docker or embedded`);
  }
  const options = {
    tag: query.string('tag'), type: type === 'embedded' ? type : 'oci', quiet: query.boolean('quiet'), manifestPath: query.string('path'),
  } as const;
  await sendProgress(call, async (progress, signal) => {
    await call.engine.images.load(call.request, options, progress, signal);
  });
}

async function save(call: Call): Promise<void> {
  const names = call.query.strings('names').flatMap((value) => value.split(','));
  if (names.length === 0) throw badRequest('no images to save: the parameter "names" is missing');
  await sendBytes(call, 'application/x-tar', await call.engine.images.save(names, call.signal));
}

async function saveOne(call: Call): Promise<void> {
  await sendBytes(call, 'application/x-tar', await call.engine.images.save([imageName(call)], call.signal));
}

export const imageTransferRoutes = [
  route('POST', '/images/create', create),
  route('POST', '/images/load', load),
  route('GET', '/images/get', save),
  route('GET', '/images/{name*}/get', saveOne),
  route('POST', '/images/{name*}/push', push),
];

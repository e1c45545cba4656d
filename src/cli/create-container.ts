import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { errnoOf, isEngineError } from '../base/index.ts';
import { type ApiClient, at, textAt, textsAt } from '../client/index.ts';
import { buildCreateRequest, type ClientOptions, type OptionContext } from '../model/options/index.ts';
import type { ContainerCreateRequest } from '../model/index.ts';
import { type Context, ExitError } from './command.ts';
import { printError } from './terminal/output.ts';

/** What the options may ask of this machine. */
const localContext: OptionContext = {
  env: (name) => process.env[name],
  readFile: (path) => readFileSync(path, 'utf8'),
  cwd: process.cwd(),
};

/** The request that a create or run command line asks for. @throws ExitError 125 for options that cannot be. */
export function requestOf(
  { flags, args: [image = '', ...command], name }: Context,
): { request: ContainerCreateRequest; clientOptions: ClientOptions } {
  try {
    return buildCreateRequest(flags.parsed.values, image, command, localContext);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw new ExitError(125, `isula: ${error.message}\nSee 'isula ${name} --help'.`);
  }
}

/** Creates the container: the image is pulled as --pull says, the id goes to --cidfile, warnings to standard error. */
export async function createContainer(client: ApiClient, request: ContainerCreateRequest, options: ClientOptions): Promise<string> {
  if (options.cidfile === '') return await create(client, request, options);
  // Made first: a container whose id has no place to go would be left behind.
  const fd = openIdFile(options.cidfile);
  try {
    const id = await create(client, request, options);
    writeSync(fd, id);
    return id;
  } catch (error) {
    rmSync(options.cidfile, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function create(client: ApiClient, request: ContainerCreateRequest, options: ClientOptions): Promise<string> {
  const image = request.config.Image;
  if (options.pull === 'always' && image !== '') await pull(client, request, options);
  const created = await post(client, request).catch(async (error: unknown) => {
    // Only the image itself can be fetched: another thing that is not found stays an error.
    if (options.pull !== 'missing' || !isEngineError(error, 'notFound') || !/no such image/i.test(error.message)) throw error;
    if (!options.quiet) printError(`Unable to find image '${withTag(image)}' locally\n`);
    await pull(client, request, options);
    return await post(client, request);
  });
  const id = textAt(created, 'Id');
  for (const warning of textsAt(created, 'Warnings')) printError(`WARNING: ${warning}\n`);
  return id;
}

async function post(client: ApiClient, request: ContainerCreateRequest): Promise<unknown> {
  const body = { ...request.config, HostConfig: request.hostConfig, NetworkingConfig: request.networkingConfig };
  return await client.json('POST', '/containers/create', {
    query: { name: request.name || undefined, platform: request.platform || undefined }, body: { json: body },
  });
}

async function pull(client: ApiClient, request: ContainerCreateRequest, options: ClientOptions): Promise<void> {
  const { pullImage } = await import('./pull-image.ts');
  await pullImage(client, { reference: request.config.Image, all: false, platform: request.platform, quiet: options.quiet, output: 2 });
}

function withTag(image: string): string {
  return image.includes('@') || /:[^/]+$/.test(image) ? image : `${image}:latest`;
}

function openIdFile(path: string): number {
  try {
    return openSync(path, 'wx');
  } catch (error) {
    const found = errnoOf(error) === 'EEXIST';
    if (found) throw new ExitError(1, `container ID file found, make sure the other container isn't running or delete ${path}`);
    throw new ExitError(1, `failed to create the container ID file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Registers a wait for a container's end: settles once the daemon has taken it; `result` gives the exit status. */
export async function registerWait(client: ApiClient, id: string, condition: 'next-exit' | 'removed'): Promise<{ result: Promise<number> }> {
  const { jsonLines } = await import('../client/index.ts');
  const { body } = await client.open('POST', `/containers/${id}/wait`, { query: { condition } });
  const read = async (): Promise<number> => {
    for await (const answer of jsonLines(body)) {
      const failure = textAt(answer, 'Error', 'Message');
      if (failure !== '') throw new ExitError(125, `error waiting for container: ${failure}`);
      const code = at(answer, 'StatusCode');
      if (typeof code === 'number') return code;
    }
    throw new ExitError(125, 'error waiting for container: the daemon closed the connection');
  };
  const result = read();
  // It may fail before anybody waits for it.
  result.catch(() => undefined);
  return { result };
}

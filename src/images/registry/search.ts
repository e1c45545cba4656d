import { booleanFilter, checkFilters, EngineError, isRecord } from '../../base/index.ts';
import { documentBytesMax } from '../limits.ts';
import { dockerHost } from '../reference.ts';
import type { Filters, RegistryAuth, SearchRow } from '../types.ts';
import { Authenticator } from './authenticator.ts';
import { readBody } from './body.ts';
import { credentialsFor } from './connect.ts';
import type { RegistryContext } from './connect.ts';
import { endpointsFor } from './endpoints.ts';
import { registryError } from './registry-error.ts';
import { namedList, nextPage, sendAuthorized } from './repository.ts';
import { Transport } from './transport.ts';

const defaultLimit = 25;
const limitMax = 100;
const cataloguePagesMax = 20;
/** Docker's own registry has its search elsewhere. */
const dockerIndex = 'index.docker.io';

export interface SearchRequest {
  readonly term: string;
  readonly limit: number;
  readonly filters: Filters;
  readonly auth: RegistryAuth | undefined;
}

/** `search`: the v1 search API, and where a registry has none (most private ones), its catalogue. @throws invalidArgument, unavailable, … */
export async function searchImages(context: RegistryContext, request: SearchRequest, signal: AbortSignal): Promise<SearchRow[]> {
  checkFilters(request.filters, ['is-official', 'is-automated', 'stars']);
  if (request.limit < 0 || request.limit > limitMax) {
    throw new EngineError('invalidArgument', `Limit ${request.limit} is outside the range of [1, ${limitMax}]`);
  }
  if (request.term === '' || request.term.length > 255) {
    throw new EngineError('invalidArgument', 'the search term has no character, or more than 255');
  }
  const limit = request.limit === 0 ? defaultLimit : request.limit;
  const { domain, term } = splitTerm(request.term, context.images.options.defaultHost);
  const endpoints = endpointsFor(domain, context.images.options, 'write');
  const endpoint = endpoints[0] === undefined ? undefined : (domain === dockerHost ? { ...endpoints[0], host: dockerIndex } : endpoints[0]);
  if (!endpoint) throw new EngineError('unavailable', `Cannot reach ${domain}`);
  const transport = new Transport(endpoint, context.images.options);
  const authenticator = new Authenticator(transport, credentialsFor(context, endpoint, domain, request.auth));
  const found = await searchV1(transport, authenticator, term, limit, signal) ?? await searchCatalogue(transport, authenticator, term, limit, signal);
  return found.filter((row) => keeps(row, request.filters)).slice(0, limit);
}

function splitTerm(term: string, defaultHost: string): { domain: string; term: string } {
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  if (!/[.:]/.test(first) && first !== 'localhost') return { domain: defaultHost, term };
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(first)) throw new EngineError('invalidArgument', `Cannot search ${JSON.stringify(first)}: it is no host name`);
  return { domain: first === dockerIndex ? dockerHost : first, term: term.slice(slash + 1) };
}

function keeps(row: SearchRow, filters: Filters): boolean {
  const official = booleanFilter(filters, 'is-official');
  const automated = booleanFilter(filters, 'is-automated');
  const stars = (filters.get('stars') ?? []).map((text) => {
    if (!/^\d{1,9}$/.test(text)) throw new EngineError('invalidArgument', `invalid filter 'stars=${text.slice(0, 40)}'`);
    return Number(text);
  });
  return (official === undefined || official === row.is_official) && (automated === undefined || automated === row.is_automated) &&
    stars.every((least) => row.star_count >= least);
}

/** Undefined: the registry knows no such API. */
async function searchV1(
  transport: Transport,
  authenticator: Authenticator,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<SearchRow[] | undefined> {
  const url = new URL('v1/search', await transport.base(signal));
  url.searchParams.set('q', term);
  url.searchParams.set('n', String(limit));
  const response = await sendAuthorized(transport, authenticator, { method: 'GET', url, signal, follow: true }, []);
  if (response.status === 404 || response.status === 405 || (response.headers.get('content-type') ?? '').includes('html')) {
    await response.body?.cancel();
    return undefined;
  }
  if (response.status !== 200) throw await registryError(response, `Cannot search ${transport.endpoint.host}`, signal);
  const text = new TextDecoder().decode(await readBody(response, documentBytesMax, 'the search results', signal));
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document) || !Array.isArray(document['results'])) return undefined;
  return document['results'].flatMap((row: unknown) => (isRecord(row) && typeof row['name'] === 'string' ? [searchRow(row, row['name'])] : []));
}

function searchRow(row: Record<string, unknown>, name: string): SearchRow {
  const { description, star_count: stars, is_official: official, is_automated: automated } = row;
  return {
    name,
    description: typeof description === 'string' ? description : '',
    star_count: typeof stars === 'number' ? stars : 0,
    is_official: official === true,
    is_automated: automated === true,
  };
}

async function searchCatalogue(
  transport: Transport,
  authenticator: Authenticator,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<SearchRow[]> {
  const rows: SearchRow[] = [];
  let url: URL | undefined = new URL('v2/_catalog?n=1000', await transport.base(signal));
  for (let page = 0; url && page < cataloguePagesMax && rows.length < limit; page++) {
    const response: Response = await sendAuthorized(transport, authenticator, { method: 'GET', url, signal, follow: true }, ['registry:catalog:*']);
    if (response.status !== 200) throw await registryError(response, `Cannot search ${transport.endpoint.host}`, signal);
    const names = namedList(await readBody(response, documentBytesMax, 'the catalogue', signal), 'repositories');
    for (const name of names) {
      if (name.includes(term)) {
        rows.push({ name: `${transport.endpoint.host}/${name}`, description: '', star_count: 0, is_official: false, is_automated: false });
      }
    }
    url = nextPage(response);
  }
  return rows;
}

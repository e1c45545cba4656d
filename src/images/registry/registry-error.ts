import { EngineError, isRecord } from '../../base/index.ts';
import type { ErrorCode } from '../../base/index.ts';
import { readBody } from './body.ts';

const errorBytesMax = 64 * 1024;

const codes: Readonly<Record<string, ErrorCode>> = {
  UNAUTHORIZED: 'unauthorized',
  DENIED: 'forbidden',
  MANIFEST_UNKNOWN: 'notFound',
  NAME_UNKNOWN: 'notFound',
  BLOB_UNKNOWN: 'notFound',
  NAME_INVALID: 'invalidArgument',
  MANIFEST_INVALID: 'invalidArgument',
  DIGEST_INVALID: 'invalidArgument',
  TOOMANYREQUESTS: 'resourceExhausted',
  UNSUPPORTED: 'unsupported',
};

/** Turns a refusal into an error: the registry's own code and message where it gave them (distribution specification, "Error Codes"). */
export async function registryError(response: Response, doing: string, signal: AbortSignal): Promise<EngineError> {
  const host = URL.canParse(response.url) ? new URL(response.url).host : 'the registry';
  const type = response.headers.get('content-type') ?? '';
  const bytes = await readBody(response, errorBytesMax, 'the answer of the registry', signal).catch(() => new Uint8Array());
  const told = firstError(bytes);
  if (told) {
    const code = codes[told.code] ?? byStatus(response.status);
    const words = told.code.toLowerCase().replaceAll('_', ' ');
    return new EngineError(code, `${doing}: ${words}${told.message === '' || told.message.toLowerCase() === words ? '' : `: ${told.message}`}`);
  }
  if (response.status === 401) return new EngineError('unauthorized', `${doing}: unauthorized: authentication required`);
  if (response.status === 403) return new EngineError('forbidden', `${doing}: denied: requested access to the resource is denied`);
  if (response.status === 429) return new EngineError('resourceExhausted', `${doing}: toomanyrequests: ${host} takes no more requests for now`);
  const html = type.includes('html') ? ', a web page: is it a registry?' : '';
  return new EngineError(byStatus(response.status), `${doing}: ${host} answered with status ${response.status}${html}`);
}

function byStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'notFound';
  if (status === 429) return 'resourceExhausted';
  return 'unavailable';
}

function firstError(bytes: Uint8Array): { code: string; message: string } | undefined {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (!isRecord(document) || !Array.isArray(document['errors'])) return undefined;
  const list: unknown[] = document['errors'];
  const first = list[0];
  if (!isRecord(first) || typeof first['code'] !== 'string') return undefined;
  return { code: first['code'].slice(0, 80), message: typeof first['message'] === 'string' ? first['message'].slice(0, 500) : '' };
}

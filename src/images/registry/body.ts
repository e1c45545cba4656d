import { EngineError } from '../../base/index.ts';

/** How long a body may stand still, ms. */
const stallTimeoutMs = 60_000;

/**
 * The chunks of a response's body, pulled one at a time: what is not read is not fetched. Ends with an error when nothing
 * comes for `stallMs`.
 * @throws unavailable when the connection breaks, timeout when it stalls
 */
export async function* bodyChunks(response: Response, signal: AbortSignal, stallMs = stallTimeoutMs): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const chunk = await readOrStall(reader, signal, stallMs);
      if (chunk === undefined) return;
      yield chunk;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

type BodyReader = { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };

async function readOrStall(reader: BodyReader, signal: AbortSignal, stallMs: number): Promise<Uint8Array | undefined> {
  let stop = (): void => undefined;
  const stalled = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new EngineError('timeout', `the registry sent nothing for ${stallMs / 1000} s`)), stallMs);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    signal.throwIfAborted();
    const { done, value } = await Promise.race([reader.read(), stalled]);
    return done ? undefined : value;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError('unavailable', 'the connection to the registry broke', { cause: error });
  } finally {
    stop();
  }
}

/** A whole body, of at most `limitBytes`. @throws tooLarge */
export async function readBody(response: Response, limitBytes: number, what: string, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyChunks(response, signal)) {
    size += chunk.byteLength;
    if (size > limitBytes) throw new EngineError('tooLarge', `Cannot read ${what}: it is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

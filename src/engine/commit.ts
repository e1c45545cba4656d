import { EngineError } from '../base/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
export const commitContainer = async (_c: EngineContext, _d: Container, _r: unknown, _s: AbortSignal): Promise<{ Id: string }> => { throw new EngineError('unsupported', 'soon'); };

import { EngineError } from '../base/index.ts';
import type { EngineContext } from './context.ts';
export const checkGraph = async (_c: EngineContext, _o: { repair: boolean }): Promise<{ Problems: { Kind: string; Path: string; Detail: string; Repaired: boolean }[] }> => { throw new EngineError('unsupported', 'soon'); };

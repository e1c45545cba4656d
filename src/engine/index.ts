export type * from './types.ts';
export type { EngineOptions } from './context.ts';
export { openEngine, type EngineParts } from './engine.ts';
export { loadHooks } from './hooks.ts';

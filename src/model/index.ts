export * from './container.ts';
export * from './decode/index.ts';
export * from './defaults.ts';
export * from './image.ts';
export * from './parse/index.ts';
export * from './state.ts';
export * from './validate/index.ts';

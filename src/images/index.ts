export type * from './types.ts';
export type { ImageOptions } from './context.ts';
export { openImageService } from './service.ts';

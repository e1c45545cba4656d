export { serveApi, type Api, type ApiOptions } from './serve.ts';

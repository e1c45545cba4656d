export { serveApi, type Api } from './serve.ts';

export { createDockerServer } from './server.ts';

export { createCriServer, type CriServer } from './server.ts';

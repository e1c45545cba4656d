import {
  type handleUnaryCall, type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, type ServiceDefinition, status as codes,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import { type Logger, messageOf } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { JsonObject } from '../../model/index.ts';
import { WindowShim } from '../wire/index.ts';
import { listContainers, listPodSandboxes } from './containers.ts';
import { imageFsInfo, imageStatus, listImages } from './images.ts';
import { Messages } from './messages.ts';
import { refusedMethods } from './proto.ts';
import { status, version } from './runtime.ts';
import { statusOf } from './status.ts';

/** The kubelet's own limit on messages. */
const messageBytesMax = 16 * 1024 * 1024;
/** Calls at once on one connection. */
const concurrentCallsMax = 256;

export interface CriServer {
  /** Serves a connection that speaks HTTP/2; `head` was read of it already. */
  accept(socket: Socket, head: Buffer): void;
  close(): void;
}

type Answer = (request: JsonObject) => Promise<Record<string, unknown>> | Record<string, unknown>;

/** CRI over gRPC, v1 and v1alpha2, for connections that the wire hands over (Bun's faults 1, 2 and 6: see architecture.md). */
export function createCriServer({ engine, logger }: { engine: Engine; logger: Logger }): CriServer {
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax, 'grpc.max_send_message_length': messageBytesMax,
    'grpc.max_concurrent_streams': concurrentCallsMax, 'grpc.enable_channelz': 0,
  });
  for (const apiVersion of ['v1', 'v1alpha2']) {
    const messages = new Messages(`runtime.${apiVersion}`);
    addService(server, messages, 'RuntimeService', logger, {
      Version: () => version(apiVersion),
      Status: (request) => status(engine, request),
      ListPodSandbox: (request) => listPodSandboxes(engine, request),
      ListContainers: (request) => listContainers(engine, request),
    });
    addService(server, messages, 'ImageService', logger, {
      ListImages: (request) => listImages(engine, request),
      ImageStatus: (request) => imageStatus(engine, request),
      ImageFsInfo: () => imageFsInfo(engine),
    });
  }
  // TLS, where there is any, ended before: the shim carries the peer's certificate along.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept(socket, head) {
      // It may have gone while this was loaded: nothing would ever end its session.
      if (socket.destroyed) return;
      const connection = new WindowShim(socket, head);
      connection.on('error', (error) => logger.debug(`gRPC connection ended: ${error.message}`));
      injector.injectConnection(connection);
    },
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

type Service = 'RuntimeService' | 'ImageService';

function addService(server: Server, messages: Messages, service: Service, logger: Logger, answers: Readonly<Record<string, Answer>>): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: UntypedServiceImplementation = {};
  const add = (method: string, handler: handleUnaryCall<Buffer, Buffer>): void => {
    // Decoding is left to the handler: a malformed message is then an error with a name, like every other.
    const same = (bytes: Buffer): Buffer => bytes;
    definition[method] = {
      path: `/${messages.packageName}.${service}/${method}`, requestStream: false, responseStream: false,
      requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
    };
    handlers[method] = handler;
  };
  for (const [method, answer] of Object.entries(answers)) {
    const encode = async (bytes: Buffer) => messages.encode(`${method}Response`, await answer(messages.decode(`${method}Request`, bytes)));
    add(method, unary(logger, method, encode));
  }
  for (const method of refusedMethods[service]) {
    const details = `CRI method ${method} is not supported by this release of iSulad`;
    add(method, (_call, reply) => reply({ code: codes.UNIMPLEMENTED, details }));
  }
  server.addService(definition, handlers);
}

/** Makes every failure a status: grpc-js leaves a call hanging whose handler rejects. */
function unary(logger: Logger, method: string, answer: (request: Buffer) => Promise<Buffer>): handleUnaryCall<Buffer, Buffer> {
  return (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
    answer(call.request).then(
      (response) => reply(null, response),
      (error: unknown) => {
        const failure = statusOf(error);
        if (failure.code === codes.INTERNAL) logger.error(`CRI ${method}: ${messageOf(error)}`);
        reply(failure);
      },
    );
  };
}

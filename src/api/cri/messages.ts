import { parse, type Root, type Type } from 'protobufjs';
import { EngineError, messageOf } from '../../base/index.ts';
import { JsonObject } from '../../model/index.ts';
import { protoText } from './proto.ts';

/** Encodes and decodes the messages of one version of the interface. Field names are those of the protocol description. */
export class Messages {
  readonly #root: Root;

  constructor(readonly packageName: string) {
    this.#root = parse(protoText(packageName), { keepCase: true }).root;
  }

  encode(name: string, value: Record<string, unknown>): Buffer {
    const bytes = this.#type(name).encode(this.#type(name).fromObject(value)).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Absent fields are absent, enums are their names. @throws invalidArgument for bytes that are no such message */
  decode(name: string, bytes: Uint8Array): JsonObject {
    const type = this.#type(name);
    let value: unknown;
    try {
      value = type.toObject(type.decode(bytes), { longs: Number, enums: String });
    } catch (error) {
      throw new EngineError('invalidArgument', `Cannot decode ${name}: ${messageOf(error)}`, { cause: error });
    }
    return new JsonObject(value, '');
  }

  #type(name: string): Type {
    return this.#root.lookupType(`${this.packageName}.${name}`);
  }
}

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 64 lower-case hex digits that name a container. */
export type ContainerId = Branded<'ContainerId'>;
/** 64 lower-case hex digits that name an exec session. */
export type ExecId = Branded<'ExecId'>;
/** `sha256:` and 64 lower-case hex digits (OCI image specification, descriptor digests). */
export type Digest = Branded<'Digest'>;
/** The digest of an image's configuration. */
export type ImageId = Digest;
/** The chain ID of a layer (OCI image specification, "Layer ChainID"). */
export type ChainId = Digest;
/** The digest of a layer's uncompressed tar. */
export type DiffId = Digest;

const hex64 = /^[0-9a-f]{64}$/;
const sha256 = /^sha256:[0-9a-f]{64}$/;

function isHexId<Id extends ContainerId | ExecId>(text: string): text is Id & string {
  return hex64.test(text);
}

export function isContainerId(text: string): text is ContainerId {
  return isHexId<ContainerId>(text);
}

export function isExecId(text: string): text is ExecId {
  return isHexId<ExecId>(text);
}

export function isDigest(text: string): text is Digest {
  return sha256.test(text);
}

/** @throws TypeError when the text is not a sha256 digest. */
export function asDigest(text: string): Digest {
  if (!isDigest(text)) throw new TypeError(`Cannot parse digest ${JSON.stringify(text.slice(0, 80))}: want sha256:<64 hex digits>`);
  return text;
}

/** The 64 hex digits behind `sha256:`. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

function randomHex(): string {
  // Not node:crypto, whose loading costs every start of the command line 3 ms.
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex');
}

export function newContainerId(): ContainerId {
  for (;;) {
    const text = randomHex();
    // Docker's rule: an id whose first 12 digits are a number would be taken for one by tools that parse it.
    if (isContainerId(text) && !/^[0-9]{12}/.test(text)) return text;
  }
}

export function newExecId(): ExecId {
  for (;;) {
    const text = randomHex();
    if (isExecId(text)) return text;
  }
}

/** The first 12 digits, as docker shows ids. */
export function shortId(id: string): string {
  return (id.startsWith('sha256:') ? id.slice(7) : id).slice(0, 12);
}

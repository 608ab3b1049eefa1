import { createHmac } from 'node:crypto';

/** An access key of the account or of a sub-account. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function sameCredentials(a: Credentials, b: Credentials): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey;
}

/** A request before it is signed: `Action` and its parameters, without the common ones. */
export interface UnsignedRequest {
  /** Host as it stands in the URL, with the port unless it is the scheme's default. */
  readonly authority: string;
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The form body of a POST under signature version 2, and the signature in it (to keep it out of messages).
 *
 * The body is the signed string itself, so that both spell every character alike.
 * Source: docs/reference/nifcloud-api.md §1.2, §1.3.
 *
 * @param atMs time of the request in ms since the epoch; a repeated request is signed again with a new time
 */
export function signedBody(
  request: UnsignedRequest,
  credentials: Credentials,
  atMs: number,
): { readonly body: string; readonly signature: string } {
  const canonicalQuery = queryString({
    ...request.parameters,
    AccessKeyId: credentials.accessKeyId,
    SignatureMethod: 'HmacSHA256',
    SignatureVersion: '2',
    Timestamp: new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z'),
    Version: '3.0',
  });
  const stringToSign = ['POST', request.authority, request.path, canonicalQuery].join('\n');
  const signature = createHmac('sha256', credentials.secretAccessKey).update(stringToSign).digest('base64');
  return { body: `${canonicalQuery}&Signature=${percentEncode(signature)}`, signature };
}

/** Percent-encodes all but RFC 3986's unreserved characters; a lone surrogate becomes U+FFFD instead of an exception. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g, // what encodeURIComponent leaves bare
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function queryString(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => ({ bytes: Buffer.from(name), pair: `${percentEncode(name)}=${percentEncode(value)}` }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes)) // by unencoded name: VolumeId.1 < VolumeId.10 < VolumeId.2
    .map(({ pair }) => pair)
    .join('&');
}

import { createHmac } from 'node:crypto';
import { Refusal } from './refusal.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What of an HTTP request the signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** The Host header: the authority with a port that is not the scheme's own. */
  readonly host: string;
  readonly path: string;
  /** Decoded, in any order; of a key that was sent twice the first value counts (docs/reference/nifcloud-api.md §1.3). */
  readonly parameters: ReadonlyMap<string, string>;
}

/** The parameters of authentication, which mean nothing to an action and never reach a log. */
export const AUTHENTICATION_PARAMETERS: ReadonlySet<string> = new Set([
  'AccessKeyId',
  'Signature',
  'SignatureMethod',
  'SignatureVersion',
  'Timestamp',
]);

/** The two methods that the cloud accepts, and the digest of each. */
const DIGESTS: Readonly<Record<string, string>> = { HmacSHA256: 'sha256', HmacSHA1: 'sha1' };

/**
 * Signature version 2 (nifcloud-api.md §1.3). The text to sign is rebuilt from the *decoded* parameters, because a body may
 * encode them otherwise than the signature does (`+` for a space).
 */
export function signatureOf(request: SignedRequest, secretAccessKey: string): string {
  const digest = DIGESTS[request.parameters.get('SignatureMethod') ?? ''];
  if (digest === undefined) throw denied('SignatureMethod is neither HmacSHA256 nor HmacSHA1');
  const canonical = [...request.parameters]
    .filter(([name]) => name !== 'Signature')
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .join('&');
  return createHmac(digest, secretAccessKey)
    .update([request.method, request.host, request.path, canonical].join('\n'))
    .digest('base64');
}

/** How far a Timestamp may be off where it is looked at (nifcloud-api.md §1.2: a guess). */
const TOLERANCE_MS = 15 * 60_000;

/**
 * @param atMs the time that a Timestamp is compared with. Without it there need not be one: a published client sends none
 * @throws Refusal Client.AuthFailure
 */
export function authenticate(request: SignedRequest, accepted: readonly Credentials[], atMs?: number): void {
  const { parameters } = request;
  const key = accepted.find(({ accessKeyId }) => accessKeyId === parameters.get('AccessKeyId'));
  if (key === undefined) throw denied('the access key is unknown');
  if (parameters.get('SignatureVersion') !== '2') throw denied('SignatureVersion is not 2');
  if (parameters.get('Signature') !== signatureOf(request, key.secretAccessKey)) {
    throw denied('the signature does not fit the request and the key');
  }
  if (atMs === undefined) return;
  const timestamp = parameters.get('Timestamp') ?? '';
  const sentMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(timestamp) ? Date.parse(timestamp) : NaN;
  if (Number.isNaN(sentMs)) throw denied('the Timestamp is no time such as 2025-01-02T03:04:05Z');
  if (Math.abs(sentMs - atMs) > TOLERANCE_MS) throw denied('the Timestamp is more than 15 minutes off');
}

function denied(reason: string): Refusal {
  return new Refusal('Client.AuthFailure', reason);
}

/** RFC 3986: all but the unreserved characters, in upper-case hex. `encodeURIComponent` leaves five others bare. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

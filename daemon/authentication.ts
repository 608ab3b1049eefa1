import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Clock } from './clock.ts';
import { ExpiringCache } from './expiring-cache.ts';

/** Who a request is from, as Kubernetes describes users. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Proxies that say, in headers, who they speak for (`docs/reference/ccm.md` A8). Header names in any case. */
export interface FrontProxy {
  /** PEM of those who sign the certificates of proxies. */
  readonly ca: string;
  /** Common names of proxies; empty = any that `ca` signed. */
  readonly allowedNames: readonly string[];
  readonly userHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraPrefixes: readonly string[];
}

export interface AuthenticationOptions {
  /** PEM of those who sign client certificates; asked for each request, since it may be replaced. undefined = certificates say nothing. */
  readonly clientCa: () => string | undefined;
  /** Asked for each request. undefined = headers say nothing. */
  readonly frontProxy: () => FrontProxy | undefined;
  /** Whose a bearer token is; answers undefined for a token that is nobody's. Absent: tokens say nothing. */
  readonly reviewToken?: ((token: string) => Promise<User | undefined>) | undefined;
  /** How long an answer about a token counts, in ms. */
  readonly tokenTtlMs: number;
  readonly clock: Clock;
}

/** Thrown for a request whose credentials are bad, or can't be looked up. */
class Unauthenticated extends Error {
  override readonly name = 'Unauthenticated';
}

const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Extended key usage of certificates for clients, and the one that stands for all. */
const CLIENT_USAGES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/** One way to tell who a request is from. @returns undefined if the request does not use it. @throws for a bad credential */
type Method = (request: IncomingMessage) => User | undefined | Promise<User | undefined>;

/**
 * Tells who a request is from: by front proxy, client certificate or bearer token, in this order; else it is anonymous.
 * @throws Unauthenticated (the returned function) when the request has credentials and none of them is good.
 */
export function authenticator(options: AuthenticationOptions): (request: IncomingMessage) => Promise<User> {
  const methods: readonly Method[] = [byFrontProxy(options), byCertificate(options), byToken(options)];
  return async (request) => {
    const faults: unknown[] = [];
    for (const method of methods) {
      try {
        const user = await method(request);
        if (user !== undefined) return { ...user, groups: [...user.groups, 'system:authenticated'] };
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw new Unauthenticated('no credential of the request is good', { cause: faults[0] });
    return ANONYMOUS;
  };
}

function byFrontProxy({ frontProxy, clock }: AuthenticationOptions): Method {
  const authorities = parsed();
  return (request) => {
    const proxy = frontProxy();
    const certificate = certificateOf(request);
    if (proxy === undefined || certificate === undefined) return undefined;
    assertSigned(certificate, authorities(proxy.ca), clock.now());
    const [name = ''] = subject(certificate, 'CN').slice(-1);
    if (proxy.allowedNames.length > 0 && !proxy.allowedNames.includes(name)) {
      throw new Error(`a certificate for ${JSON.stringify(name)} is not one of a front proxy`);
    }
    return userFromHeaders(request, proxy);
  };
}

function userFromHeaders({ headersDistinct }: IncomingMessage, proxy: FrontProxy): User | undefined {
  const all = (names: readonly string[]): readonly string[] =>
    names.flatMap((name) => headersDistinct[name.toLowerCase()] ?? []);
  const [name] = all(proxy.userHeaders).filter((value) => value !== '');
  if (name === undefined) return undefined;
  const [uid] = all(proxy.uidHeaders).filter((value) => value !== '');
  const extra = Object.entries(headersDistinct).flatMap(([header, values = []]) => {
    const prefix = proxy.extraPrefixes.find((one) => header.startsWith(one.toLowerCase()));
    return prefix === undefined ? [] : [[unescaped(header.slice(prefix.length)), values] as const];
  });
  return {
    name,
    groups: all(proxy.groupHeaders),
    ...(uid === undefined ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Common name = user, organizations = groups. Source: Kubernetes, "X.509 client certificates". */
function byCertificate({ clientCa, clock }: AuthenticationOptions): Method {
  const authorities = parsed();
  return (request) => {
    const ca = clientCa();
    const certificate = certificateOf(request);
    if (ca === undefined || certificate === undefined) return undefined;
    assertSigned(certificate, authorities(ca), clock.now());
    const [name] = subject(certificate, 'CN').slice(-1);
    return name === undefined ? undefined : { name, groups: subject(certificate, 'O') };
  };
}

function byToken({ reviewToken, tokenTtlMs, clock }: AuthenticationOptions): Method {
  const cache = new ExpiringCache<User | undefined>(clock, () => tokenTtlMs);
  return async ({ headers }) => {
    const token = /^bearer +([^ ]+)/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined || reviewToken === undefined) return undefined;
    const user = await cache.get(createHash('sha256').update(token).digest('base64'), () => reviewToken(token));
    if (user === undefined) throw new Error('the bearer token is not known');
    return user;
  };
}

function certificateOf({ socket }: IncomingMessage): X509Certificate | undefined {
  return (socket as Partial<TLSSocket>).getPeerX509Certificate?.();
}

/** Values of one attribute of the subject, in their order. */
function subject(certificate: X509Certificate, attribute: 'CN' | 'O'): readonly string[] {
  return [certificate.toLegacyObject().subject[attribute] ?? []].flat();
}

/**
 * The handshake has proved that the client holds the key; this proves that one of the authorities, itself, signed the certificate,
 * for a client, for now. Certificates in between are not followed: an authority that is to count stands in the file.
 */
function assertSigned(certificate: X509Certificate, authorities: readonly X509Certificate[], nowMs: number): void {
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  if (nowMs < from || nowMs > to) throw new Error('the client certificate has expired or is not valid yet');
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.some((usage) => CLIENT_USAGES.includes(usage))) {
    throw new Error('the client certificate is not meant for clients');
  }
  const signed = authorities.some(
    (authority) =>
      authority.ca &&
      authority.validFromDate.getTime() <= nowMs &&
      nowMs <= authority.validToDate.getTime() &&
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey),
  );
  if (!signed) throw new Error('the client certificate is signed by an unknown authority');
}

/** Parses a PEM bundle when it is another than last time. */
function parsed(): (pem: string) => readonly X509Certificate[] {
  let last: { readonly pem: string; readonly certificates: readonly X509Certificate[] } | undefined;
  return (pem) => {
    if (last?.pem !== pem) last = { pem, certificates: certificatesOf(pem) };
    return last.certificates;
  };
}

/** The certificates of a PEM bundle. @throws the system's error for one that is broken */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

import { webcrypto } from 'node:crypto';
// @peculiar/x509 needs this polyfill loaded before itself.
import 'reflect-metadata';
import { SubjectAlternativeNameExtension, X509CertificateGenerator, cryptoProvider } from '@peculiar/x509';

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/**
 * A self-signed serving certificate, made in memory when no files are given, as component-base does
 * (`docs/reference/ccm.md` A1). Probes use HTTPS without verifying it.
 */
export async function selfSignedCertificate(hosts: readonly string[], nowMs: number): Promise<Certificate> {
  cryptoProvider.set(webcrypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${hosts[0] ?? 'localhost'}`,
    keys,
    signingAlgorithm: algorithm,
    // An hour back: clocks of probing machines may lag behind.
    notBefore: new Date(nowMs - 3_600_000),
    notAfter: new Date(nowMs + YEAR_MS),
    extensions: [
      new SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const body = der.toString('base64').replaceAll(/.{64}/g, '$&\n');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
  };
}

import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Certificate } from '../daemon/certificate.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface Wanted {
  /** Such as `CN=jane, O=dev`. */
  readonly name: string;
  /** @default for clients */
  readonly usage?: 'client' | 'server';
  /** @default in a day */
  readonly endsAtMs?: number;
  /** It may sign others. */
  readonly isAuthority?: boolean;
  /** IP addresses that a server answers at. */
  readonly addresses?: readonly string[];
}

/** Signs certificates, as the authority of a cluster does. */
export class Authority {
  readonly pem: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #name: string;

  private constructor(pem: string, keys: webcrypto.CryptoKeyPair, name: string) {
    this.pem = pem;
    this.#keys = keys;
    this.#name = name;
  }

  static async create(name: string): Promise<Authority> {
    cryptoProvider.set(webcrypto);
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    });
    return new Authority(certificate.toString('pem'), keys, `CN=${name}`);
  }

  async sign({
    name,
    usage = 'client',
    endsAtMs = Date.now() + DAY_MS,
    isAuthority = false,
    addresses = [],
  }: Wanted): Promise<Certificate> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.create({
      subject: name,
      issuer: this.#name,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(endsAtMs),
      extensions: [
        new BasicConstraintsExtension(isAuthority, undefined, true),
        new ExtendedKeyUsageExtension([usage === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth]),
        ...(addresses.length === 0
          ? []
          : [new SubjectAlternativeNameExtension(addresses.map((value) => ({ type: 'ip', value })))]),
      ],
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
  }
}
